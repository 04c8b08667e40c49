# The same as smallest.py with umqtt.simple.
# Rule: as there.
import gc

gc.threshold(2048)
import sys  # noqa: E402

from umqtt.simple import MQTTClient  # noqa: E402

COUNT = 50
size = int(sys.argv[2])
seen = 0


def on_message(topic, payload):
    global seen
    if len(payload) != size:
        raise SystemExit(2)
    seen += 1


client = MQTTClient(b"smallest", sys.argv[1][7:].split(":")[0], int(sys.argv[1].split(":")[2]))
client.set_callback(on_message)
client.connect()
client.subscribe(b"smallest/topic", 1)
payload = bytes(size)
for i in range(COUNT):
    client.publish(b"smallest/topic", payload, False, 1)
    while seen <= i:
        client.wait_msg()
client.disconnect()
print("ok")
