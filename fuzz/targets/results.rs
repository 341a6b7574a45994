//! The results of an experiment.
#![no_main]

esp_tcpwatch_fuzz::target!("results");
