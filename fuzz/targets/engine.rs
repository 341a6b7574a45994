//! Any sequence of the engine's inputs.
#![no_main]

esp_tcpwatch_fuzz::target!("engine");
