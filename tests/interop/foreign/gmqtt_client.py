"""gmqtt as a client of the tests; see adapter.py."""

import asyncio
import sys

import adapter
from gmqtt import Client, Message
from gmqtt.mqtt.constants import MQTTv50
from gmqtt.storage import PersistentStorage

PATIENCE_S = 20


class Gmqtt:
    def __init__(self):
        self.client = None
        # Holds what the broker has not acknowledged.
        self.unacknowledged = PersistentStorage()
        self.connected = asyncio.Queue()
        self.granted = asyncio.Queue()
        self.aliases = {}

    async def connect(self, order):
        options = {}
        if order["version"] == MQTTv50:
            if order["aliases"]:
                options["topic_alias_maximum"] = 10
            if not order["clean"]:
                options["session_expiry_interval"] = 3600
        if will := order.get("will"):
            options["will_message"] = Message(
                will["topic"], will["payload"], will["qos"], will["retain"]
            )
        client = Client(
            order["id"],
            clean_session=order["clean"],
            persistent_storage=self.unacknowledged,
            **options,
        )
        client.on_connect = lambda _c, present, _code, _p: self.connected.put_nowait(present)
        client.on_subscribe = lambda _c, _mid, codes, _p: self.granted.put_nowait(codes)
        client.on_message = self.on_message
        self.client = client
        await client.connect("127.0.0.1", order["port"], version=order["version"])
        return {"session_present": bool(await self.connected.get())}

    def on_message(self, _client, topic, payload, qos, properties):
        adapter.message(topic, payload, qos, bool(properties["retain"]))
        return 0

    async def subscribe(self, order):
        self.client.subscribe(order["filter"], order["qos"])
        return {"granted": (await self.granted.get())[0]}

    async def publish(self, order):
        options = {}
        if order.get("alias") is not None:
            options["topic_alias"] = order["alias"]
        topic = adapter.alias_topic(order, self.aliases)
        self.client.publish(topic, order["payload"], order["qos"], order["retain"], **options)
        await self.unacknowledged.wait_empty()
        return {"aliased": topic == ""}

    async def leave(self, _order):
        await self.client.disconnect()
        return {}


async def main():
    gmqtt = Gmqtt()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = adapter.order(line)
        try:
            carry_out = getattr(gmqtt, order["do"])(order)
            adapter.write({"answer": await asyncio.wait_for(carry_out, PATIENCE_S)})
        except Exception as error:
            adapter.failed(error)


asyncio.run(main())
