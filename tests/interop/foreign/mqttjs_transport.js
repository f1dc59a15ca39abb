// MQTT.js over WebSocket: subscribes, publishes to itself at every QoS, prints what comes.
// Arguments: URL, topic, and for wss the CA's, the client's certificate's and its key's file.
'use strict';

const fs = require('fs');
const mqtt = require('mqtt');

const [url, topic, ...files] = process.argv.slice(2);
const [ca, cert, key] = files.map((file) => fs.readFileSync(file));
const large = 'x'.repeat(100000);
const client = mqtt.connect(url, { ca, cert, key, reconnectPeriod: 0, protocolVersion: 5 });

const fail = (what) => (error) => {
  console.error(what, error);
  process.exit(1);
};
client.on('error', fail('error'));
client.on('close', fail('closed early'));

// Messages of different QoS may overtake each other.
const awaited = new Set(['at 0', 'at 1', 'at 2', large]);
client.on('message', (name, payload) => {
  const text = payload.toString();
  if (name !== topic || !awaited.delete(text)) fail('not awaited')(text.slice(0, 40));
  if (awaited.size === 0) {
    client.removeAllListeners('close');
    client.end(false, () => console.log('all came'));
  }
});
client.on('connect', () => {
  client.subscribe(topic, { qos: 2 }, (error) => {
    if (error) fail('subscribe')(error);
    for (const qos of [0, 1, 2]) client.publish(topic, `at ${qos}`, { qos });
    client.publish(topic, large, { qos: 1 });
  });
});
