# A program as it is written for umqtt.simple with TLS; but for the import it runs unchanged with that.
# Rule: `micropython drop_in_tls.py how port name folder` publishes to itself; the last line is then "ok".
import ssl
import sys

from umqtt_full.simple import MQTTClient


def read(folder, name):
    with open(folder + "/" + name, "rb") as file:
        return file.read()


def context(ca):
    """A context that verifies."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.verify_mode = ssl.CERT_REQUIRED
    c.load_verify_locations(cadata=ca)
    return c


def main(how, port, name, folder):
    options = {"ssl": True}
    if how == "context":
        options["ssl"] = context(read(folder, "ca.crt.der"))
    elif how != "plain":
        options["ssl_params"] = {
            "server_hostname": "elsewhere.example" if how == "name" else "127.0.0.1",
            "cert_reqs": ssl.CERT_REQUIRED,
            "cadata": read(folder, "other.crt.der" if how == "other" else "ca.crt.der"),
        }
    if how == "mutual":
        options["ssl_params"].update(key=read(folder, "client.key.der"), cert=read(folder, "client.crt.der"))
    got = []
    c = MQTTClient(name, "127.0.0.1", port, keepalive=60, **options)
    c.set_callback(lambda topic, msg: got.append(msg))
    assert c.port == port and MQTTClient(name, "host", ssl=True).port == 8883
    if how in ("other", "name"):
        try:
            c.connect()
            raise AssertionError("no error")
        except (OSError, ValueError) as e:
            print(repr(e))
            return
    c.connect()
    c.subscribe(name, 1)
    for n in (0, 30000):
        c.publish(name, b"x" * n, qos=1)
        while not got:
            c.wait_msg()
        assert got.pop() == b"x" * n
    c.disconnect()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    print("ok")
