//! Events and keys.
#![no_main]

esp_tcpwatch_fuzz::target!("screen");
