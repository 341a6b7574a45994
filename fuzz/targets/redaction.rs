//! A text for the public.
#![no_main]

esp_tcpwatch_fuzz::target!("redaction");
