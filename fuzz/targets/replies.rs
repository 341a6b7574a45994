//! Replies on the control channel.
#![no_main]

esp_tcpwatch_fuzz::target!("replies");
