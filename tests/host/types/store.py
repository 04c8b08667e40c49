"""The types of the stores."""
from umqtt_full import MQTTClient
from umqtt_full.store import FileStore, MemoryStore

memory = bytearray(2048)


def read() -> bytes:
    return bytes(memory)


def write(data: bytearray) -> None:
    memory[:] = data


store = FileStore("mqtt.log", bound=4096)
mqtt = MQTTClient("mqtt://broker.local", store=store)
print(store.errors + store.writes + store.rewrites + store.lost, store.error)
other = MemoryStore(2048, read, write)
other.save()
mqtt = MQTTClient("mqtt://broker.local", store=other)
