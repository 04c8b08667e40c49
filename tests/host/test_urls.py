"""Each scheme of URL reaches a broker, with user and password, and a list fails over from one to another.

Rule: one mosquitto that wants a password speaks TCP, TLS, WebSocket and both; one program on each interpreter.
"""
import runpy

import brokers
import certificates
import mp
import near
import pytest

SCRIPT = near.SCRIPTS / "urls.py"


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """(path of the CA, one URL for each scheme), with a user whose password needs percent-encoding."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    if certificates.unavailable():
        pytest.skip(certificates.unavailable())
    folder = tmp_path_factory.mktemp("certificates")
    certificates.Authority(folder).issue("server", "localhost", "127.0.0.1")
    tls, ws, wss = (brokers.free_port() for _ in range(3))
    settings = "\n".join([
        brokers.tls_listener(tls, folder, "server"),
        f"listener {ws} 127.0.0.1\nprotocol websockets",
        brokers.tls_listener(wss, folder, "server", "protocol websockets"),
    ])
    with brokers.Mosquitto(user="us@er", password="p@ss/wörd", settings=settings) as broker:
        login = "us%40er:p%40ss%2Fw%C3%B6rd"
        yield str(folder / "ca.crt"), [
            f"mqtt://{login}@127.0.0.1:{broker.port}",
            f"tcp://{login}@127.0.0.1:{broker.port}/",
            f"mqtts://{login}@localhost:{tls}",
            f"tls://{login}@localhost:{tls}",
            f"ws://{login}@127.0.0.1:{ws}/mqtt?x=1",
            f"ws://{login}@127.0.0.1:{ws}",
            f"wss://{login}@localhost:{wss}/mqtt",
        ]


def test_each_scheme_works_on_cpython(urls, capsys):
    there_and_back = runpy.run_path(str(SCRIPT))["there_and_back"]
    there_and_back(urls[1], ca=urls[0])
    assert capsys.readouterr().out.split() == [word for url in urls[1] for word in ("worked", url.split(":")[0])]


def test_each_scheme_works_on_micropython(urls):
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    with mp.MicroPython(SCRIPT, urls[0], *urls[1], heapsize="512k") as board:
        assert board.finish() == 0 and board.lines[-1] == "done", board.output


def test_a_list_of_mixed_schemes_fails_over(urls):
    from umqtt_full import MQTTClient

    ca, (mqtt, _, mqtts, *_) = urls
    nobody = brokers.free_port()
    client = MQTTClient([f"ws://127.0.0.1:{nobody}/mqtt", mqtts, mqtt], client_id="mixed", ca=ca)
    client.retry_min_ms = client.retry_max_ms = 10
    client.start()
    for _ in range(200):
        if client.poll(100):
            break
    assert client.connected and client.server == 1 and client.verified is True
    client.disconnect()
