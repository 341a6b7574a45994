//! A rule file.
#![no_main]

esp_tcpwatch_fuzz::target!("rules");
