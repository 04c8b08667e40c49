# Types of umqtt_full, for editors and checkers; never on a board. One file for each module that users import.
from .client import MQTTClient as MQTTClient
from .errors import MQTTError as MQTTError
from .errors import MQTTFull as MQTTFull

__version__: str
