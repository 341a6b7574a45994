//! A saved run, as lines and as reports.
#![no_main]

esp_tcpwatch_fuzz::target!("report");
