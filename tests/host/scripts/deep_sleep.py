# One wake of a board that sleeps deeply between its messages: a process that begins with a block of bytes.
# Rule: `deep_sleep.py url name folder how number,qos ...`; it says each packet of the wire and each message.
# The block lies in a file that is read at the start and written at the end: nothing else is handed over.
#   how: drained (all is done, disconnected), written (sleep falls while answers are awaited), offline (no link).
import sys
import time

from umqtt_full import MQTTClient
from umqtt_full.store import MemoryStore

PACKETS = (
    "CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP "
    "DISCONNECT"
).split()


class Memory:
    """The block of the real-time clock."""

    def __init__(self, path):
        self._path = path
        try:
            with open(path, "rb") as file:
                self.data = file.read()
        except OSError:
            self.data = b""

    def __call__(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)

    def sleep(self):
        with open(self._path, "wb") as file:
            file.write(self.data)


def poll_until(client, condition):
    end = time.ticks_add(time.ticks_ms(), 10000)
    while not condition():
        if time.ticks_diff(end, time.ticks_ms()) <= 0:
            raise AssertionError("10 s")
        client.poll(20)


def main(url, name, path, how, *messages):
    memory = Memory(path)
    client = MQTTClient(url, name, store=MemoryStore(2048, memory, memory), slots=8, slot_size=64)
    done = []  # what was heard and is done

    def on_wire(sent, head, n):
        packet = PACKETS[(head >> 4) - 1]
        print("wire", packet)
        if sent and packet in ("PUBACK", "PUBCOMP"):
            done.append(packet)

    client.trace(on_wire)
    client.on(name + "/down", lambda msg: print("down", bytes(msg.payload).decode()), 2)
    for message in messages:
        if message != "down":
            number, qos = message.split(",")
            client.publish(name + "/up", number, int(qos))
    if how == "drained":
        client.connect()
        poll_until(client, lambda: len(done) == messages.count("down"))
        if not client.disconnect():
            raise AssertionError("disconnect")
    elif how == "written":
        client.start()
        poll_until(client, lambda: client.counters["sent"] >= len(messages))
        client.close()
    memory.sleep()
    print("ok", client.session_present, client._store.errors)


if __name__ == "__main__":
    main(*sys.argv[1:])
