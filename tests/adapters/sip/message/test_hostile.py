"""Input made to be slow to read. Each piece is as large as a message may be; a parser of quadratic time would need
many minutes of processor time for it, and is stopped."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

CPU_LIMIT_S = 60  # all of it takes some two seconds
SCRIPT = """
from adapters.sip.message.framing import StreamFramer
from adapters.sip.message.header import CSeq, NameAddr, Via, header_params, parse_credentials, split_list
from adapters.sip.message.parser import parse
from domain.sdp import Sdp, map_crypto
from adapters.sip.message.uri import Uri

SIZE = 65_000
units = [' ', '\\t', '\\r\\n ', '\\n', '\\r', ',', ';', ':', '=', '"', '\\\\', '\\\\"', '"\\\\"', '<', '<>', '@', '[',
         'a', 'a=1,', 'a=1;', '%', '/', 'SIP/2.0/', 'inline:', 'a=key-mgmt:', 'a=key-mgmt:x ', 'm=audio ', 'l:', 'l: 1']
starts = ['', '"', '<', '<sip:', 'sip:', 'SIP/2.0/UDP ', 'SIP/2.0/UDP h;', 'Digest ', 'Digest a="', 'Digest a=',
          '1 ', 'v=0\\n']
parsers = [
    CSeq.parse, NameAddr.parse, Via.parse, header_params, parse_credentials, split_list, Sdp.parse, Uri.parse,
    lambda text: map_crypto(text, str), lambda text: parse(text.encode()),
    lambda text: parse(f'OPTIONS sip:a SIP/2.0\\r\\nX: {text}\\r\\n\\r\\n'.encode()),
    lambda text: StreamFramer().receive(text.encode()),
]
for unit in units:
    for start in starts:
        text = start + unit * (SIZE // (2 * len(unit.encode()))) + 'x'
        for parser in parsers:
            try:
                parser(text)
            except ValueError:
                pass
framer = StreamFramer()
try:
    for byte in b'OPTIONS sip:a SIP/2.0\\r\\n' + b'a: b\\r\\n' * (SIZE // 6):
        framer.receive(bytes([byte]))
except ValueError:
    pass
print('read')
"""


def test_hostile_input_is_read_in_linear_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[4],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")
