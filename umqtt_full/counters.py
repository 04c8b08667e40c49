# What a client has counted. Loaded when it is asked for.


def counters(client):
    """What was counted since the start, as a new dict."""
    engine = client._engine
    writer = engine.writer
    return {
        "received": engine.received,
        "sent": writer.sent,
        "resent": engine.resent,  # packets of an earlier link
        "oversize": engine.oversize,  # larger than rx: let go
        "deferred": engine.deferred,  # QoS 2 without room for its id: came again on a later link
        "stray": engine.stray,  # acks of an unknown packet id
        "dropped": client.dropped,  # given up: by the policy of a full outbox, or
        "dropped_offline": client.dropped_offline,  # these of them: at QoS 0 without a link
        "bytes_in": engine.bytes_in,  # modulo 2**30
        "bytes_out": writer.bytes_out,
        "reconnects": max(client.reconnects - 1, 0),
        "longest_ms": client.longest_ms,  # of a poll, its sleep aside
        "store_errors": client._store.errors if client._store else 0,
    }
