# shellcheck shell=bash disable=SC2034 # the file is sourced
# Loads by name, for loadgen/baseline and flamegraphs/record. They are scaled to two cores; the open
# loops are well below what they saturate at.
declare -A loads=(
  [p2p-qos0-b8]='p2p --pairs 64 --qos 0 --batch 8'
  [p2p-qos0-b64]='p2p --pairs 64 --qos 0 --batch 64'
  [p2p-qos1-b8]='p2p --pairs 64 --qos 1 --batch 8'
  [p2p-qos1-b64]='p2p --pairs 64 --qos 1 --batch 64'
  [p2p-qos1-open]='p2p --pairs 64 --qos 1 --rate 5000 --max-lag-ms 20'
  [fanout-qos0-b8]='fanout --pubs 1 --subs 500 --qos 0 --batch 8'
  [fanin-qos1-open]='fanin --pubs 64 --subs 1 --qos 1 --rate 5000 --max-lag-ms 20'
)
