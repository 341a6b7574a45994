//! A configuration file.
#![no_main]

esp_tcpwatch_fuzz::target!("configuration");
