// Connects with MQTT.js, subscribes, publishes, and prints the message that comes.
// Arguments: the URL, and for wss the file with the authority's certificate.
'use strict';

const fs = require('fs');
const mqtt = require('mqtt');

const [url, authority] = process.argv.slice(2);
const ca = authority ? fs.readFileSync(authority) : undefined;
const client = mqtt.connect(url, { ca, reconnectPeriod: 0 });

client.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
client.on('message', (topic, payload) => {
  process.stdout.write(`${topic} ${payload}\n`);
  client.end();
});
client.on('connect', async () => {
  await client.subscribeAsync('testtopic', { qos: 1 });
  await client.publishAsync('testtopic', 'hello over WebSocket', { qos: 1 });
});
