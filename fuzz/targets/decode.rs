//! A frame of any link type.
#![no_main]

esp_tcpwatch_fuzz::target!("decode");
