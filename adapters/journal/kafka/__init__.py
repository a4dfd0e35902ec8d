"""The journal on Kafka: topics, records, reading; `kafka-python` never leaves this package.

That client logs each broken connection several times over. Whatever it means for us is an error or a line of our own,
so its loggers are quiet from here on, in this one place.
"""

import logging

logging.getLogger("kafka").setLevel(logging.CRITICAL)
