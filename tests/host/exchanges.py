# One exchange of messages over whatever link there is. Runs on CPython, and as a program on MicroPython.
# Rule: it knows nothing of proxies and faults; it publishes or receives until all is done.
# As a program it takes one line on stdin for each exchange, and says "up", "got ..." and "done".
import sys

import umqtt_full

WAIT_MS = 20000


def client(port, client_id):
    """A client that keeps its session and comes back at once."""
    url = f"mqtt://127.0.0.1:{port}"
    c = umqtt_full.MQTTClient(url, client_id, keepalive=0, clean=False, rx=64, slot_size=64, slots=4)
    c.retry_min_ms = 1
    c.retry_max_ms = 4
    return c


def publish(port, client_id, topic, qos, payloads):
    """Publish up to 4 payloads; return when the broker has them."""
    c = client(port, client_id)
    c.start()
    for payload in payloads:
        c.publish(topic, payload, qos)
    done = c.drain(WAIT_MS)
    c.disconnect()
    if not done:
        raise AssertionError("not drained")


def receive(port, client_id, topic, qos, up):
    """Return the payloads that come up to the one that is "end"; call `up` whenever the link comes up."""
    got = []
    c = client(port, client_id)
    c.on(topic, lambda msg: got.append(bytes(msg.payload).decode()), qos)
    c.on_connect = lambda present: up()
    c.start()
    waits = 0
    while "end" not in got:
        c.poll(1000)
        waits += 1
        if waits > 1000:
            raise AssertionError("no end: " + repr(got))
    c.disconnect()
    return got


def main(port):
    while True:
        words = sys.stdin.readline().split()
        if not words:
            return
        what, client_id, topic, qos = words[:4]
        if what == "publish":
            publish(port, client_id, topic, int(qos), words[4:])
        else:
            print("got", *receive(port, client_id, topic, int(qos), lambda: print("up")))
        print("done")


if __name__ == "__main__":
    main(int(sys.argv[1]))
