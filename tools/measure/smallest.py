# The least that a program with umqtt_full does: what heap does it need?
# Rule: compiled and run as `-m smallest url bytes`; each message is of QoS 1 and comes back before the next.
import gc

gc.threshold(2048)
import sys  # noqa: E402

from umqtt_full import MQTTClient  # noqa: E402

COUNT = 50
size = int(sys.argv[2])
seen = 0


def on_message(msg):
    global seen
    if len(msg) != size:
        raise SystemExit(2)
    seen += 1


client = MQTTClient(sys.argv[1], "smallest",
                    rx=size + 32, slots=1, slot_size=size + 32, filters=1, qos2_ids=1)
client.on(b"smallest/topic", on_message, 1)
client.connect()
payload = bytes(size)
for i in range(COUNT):
    client.publish(b"smallest/topic", payload, 1)
    while seen <= i or not client.room():
        client.poll(5000)
client.disconnect()
print("ok")
