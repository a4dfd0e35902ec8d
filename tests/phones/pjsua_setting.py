"""How the pjsua2 phone is configured: settings alone, no calls.

No ICE, no STUN, no codec lock (it would send a re-INVITE of its own); session timers and 100rel only if asked for.
"""

import re
from typing import Any

import pjsua2 as pj  # type: ignore[import-untyped]

from tests.phones.driver import CLOCK_RATE_HZ, Options

_TRANSPORT_TYPES = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}


def transport_type(name: str) -> int:
    return int(_TRANSPORT_TYPES[name])


def endpoint_config(trace_path: str) -> Any:
    config = pj.EpConfig()
    config.logConfig.level = 4
    config.logConfig.consoleLevel = 0
    config.logConfig.msgLogging = 1
    config.logConfig.filename = trace_path
    config.uaConfig.threadCnt = 0
    config.uaConfig.maxCalls = 4
    config.uaConfig.userAgent = "pjsua2"
    config.medConfig.clockRate = CLOCK_RATE_HZ
    config.medConfig.sndClockRate = CLOCK_RATE_HZ
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1
    return config


def transport_config(options: Options) -> Any:
    config = pj.TransportConfig()
    config.boundAddress = "127.0.0.1"
    config.port = options.port
    if options.transport == "tls":
        config.tlsConfig.verifyServer = options.tls_ca is not None
        config.tlsConfig.CaListFile = options.tls_ca or ""
    return config


def tone_digit(key: str, duration_ms: int) -> Any:
    digit = pj.ToneDigit()
    digit.digit, digit.on_msec, digit.off_msec, digit.volume = key, duration_ms, duration_ms, 0
    return digit


def without_events(sdp: str) -> str:
    """A description that offers no telephone-event (RFC 4733)."""
    found = re.search(r"a=rtpmap:(\d+) telephone-event/8000", sdp)
    if found is None:
        return sdp
    lines = [line for line in sdp.split("\r\n") if not re.match(rf"a=(rtpmap|fmtp):{found[1]} ", line)]
    return "\r\n".join(re.sub(rf" {found[1]}$", "", line) if line.startswith("m=audio") else line for line in lines)


def account_config(options: Options, transport: int) -> Any:
    config = pj.AccountConfig()
    config.idUri = f"sip:{options.username}@{options.domain}"
    config.sipConfig.transportId = transport
    config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", options.username, 0, options.password))
    suffix = "" if options.transport == "udp" else f";transport={options.transport}"
    if options.proxy is not None:
        config.sipConfig.proxies.append(f"sip:{options.proxy};lr{suffix}")
    _registration(config.regConfig, options)
    _quiet(config)
    if options.prack:
        config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
    if options.session_s:
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_REQUIRED
        config.callConfig.timerMinSESec = config.callConfig.timerSessExpiresSec = options.session_s
    config.mwiConfig.enabled = options.summaries
    config.natConfig.sipOutboundUse = int(options.outbound)
    config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    first, last = options.rtp_ports
    config.mediaConfig.transportConfig.port, config.mediaConfig.transportConfig.portRange = first, last - first
    config.mediaConfig.lockCodecEnabled = False
    otherwise = pj.PJMEDIA_SRTP_OPTIONAL if options.srtp_wish else pj.PJMEDIA_SRTP_DISABLED
    config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY if options.srtp else otherwise
    config.mediaConfig.srtpSecureSignaling = 0
    return config


def _registration(reg: Any, options: Options) -> None:
    reg.registrarUri = f"sip:{options.domain}" if options.proxy is not None else ""
    reg.registerOnAdd = options.register and options.proxy is not None
    reg.timeoutSec = options.expires_s
    reg.retryIntervalSec = 1
    reg.firstRetryIntervalSec = 1
    reg.randomRetryIntervalSec = 0
    reg.dropCallsOnFail = False
    reg.unregWaitMsec = 200


def _quiet(config: Any) -> None:
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
    config.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
    config.natConfig.iceEnabled = False
    config.natConfig.sipOutboundUse = 0
    config.natConfig.sipStunUse = pj.PJSUA_STUN_USE_DISABLED
    config.natConfig.mediaStunUse = pj.PJSUA_STUN_USE_DISABLED
