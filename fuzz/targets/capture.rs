//! A capture file, pcap or pcapng.
#![no_main]

esp_tcpwatch_fuzz::target!("capture");
