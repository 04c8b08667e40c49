# umqtt_full: the complete MQTT client for MicroPython boards with little RAM.
import sys

if sys.implementation.name != "micropython":
    from . import _cpython  # (what MicroPython has and CPython lacks; never on a board)

from .client import MQTTClient
from .errors import MQTTError, MQTTFull

__version__ = "0.1.0"
