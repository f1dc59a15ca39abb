"""paho-mqtt as a client of the tests; see adapter.py."""

import queue
import sys

import adapter
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE_S = 20


class Paho:
    def __init__(self):
        self.client = None
        self.version = None
        self.connected = queue.Queue()
        self.granted = queue.Queue()
        self.aliases = {}

    def connect(self, order):
        self.version = order["version"]
        is_5 = self.version == MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=order["id"],
            clean_session=None if is_5 else order["clean"],
            protocol=self.version,
        )
        client.on_connect = lambda _c, _u, flags, code, _p: self.connected.put((flags, code))
        client.on_subscribe = lambda _c, _u, _mid, codes, _p: self.granted.put(codes)
        client.on_message = lambda _c, _u, m: adapter.message(m.topic, m.payload, m.qos, m.retain)
        if will := order.get("will"):
            client.will_set(will["topic"], will["payload"], will["qos"], will["retain"])
        options = {}
        if is_5:
            options["clean_start"] = order["clean"]
            options["properties"] = Properties(PacketTypes.CONNECT)
            if not order["clean"]:
                options["properties"].SessionExpiryInterval = 3600
        client.connect("127.0.0.1", order["port"], **options)
        client.loop_start()
        self.client = client
        flags, code = self.connected.get(timeout=PATIENCE_S)
        if code.is_failure:
            raise ConnectionError(str(code))
        return {"session_present": flags.session_present}

    def subscribe(self, order):
        self.client.subscribe(order["filter"], order["qos"])
        return {"granted": self.granted.get(timeout=PATIENCE_S)[0].value}

    def publish(self, order):
        properties = None
        if order.get("alias") is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.TopicAlias = order["alias"]
        topic = adapter.alias_topic(order, self.aliases)
        sent = self.client.publish(
            topic, order["payload"], order["qos"], order["retain"], properties
        )
        sent.wait_for_publish(PATIENCE_S)
        if not sent.is_published():
            raise TimeoutError("no acknowledgement")
        return {"aliased": topic == ""}

    def leave(self, _order):
        self.client.disconnect()
        self.client.loop_stop()
        return {}


def main():
    paho = Paho()
    for line in sys.stdin:
        order = adapter.order(line)
        try:
            adapter.write({"answer": getattr(paho, order["do"])(order)})
        except Exception as error:
            adapter.failed(error)


main()
