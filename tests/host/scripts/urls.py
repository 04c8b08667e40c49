# Connect by each URL, and have a message come back. Runs on MicroPython and on CPython.
import sys

from umqtt_full import MQTTClient


def there_and_back(urls, **options):
    """One client for each URL, with the CA as it is needed; the names of the servers' schemes that worked."""
    for n, url in enumerate(urls):
        secure = options if url.split(":")[0] in ("mqtts", "tls", "wss") else {}
        client = MQTTClient(url, client_id="urls-%d-%s" % (n, sys.implementation.name), **secure)
        got = []
        topic = "urls/%d/%s" % (n, sys.implementation.name)
        client.on(topic, lambda msg, got=got: got.append(bytes(msg.payload)), 1)
        client.connect()
        client.publish(topic, b"back", 1)
        while not got:
            client.poll(1000)
        client.disconnect()
        if client.verified is not (True if secure else None):
            raise AssertionError("verified: %s" % client.verified)
        print("worked", url.split(":")[0])


if __name__ == "__main__":
    there_and_back(sys.argv[2:], ca=sys.argv[1])
    print("done")
