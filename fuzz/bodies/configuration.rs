//! The text of a configuration file.

use std::path::Path;

use esp_tcpwatch::cli::config_file;

pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match config_file::read(text, Path::new("/somewhere/config.toml")) {
        Ok(settings) => {
            let again = config_file::read(text, Path::new("/somewhere/config.toml"));
            assert_eq!(again.ok(), Some(settings));
        }
        Err(error) => {
            let told = error.to_string();
            let line = told.strip_prefix("/somewhere/config.toml:").and_then(|rest| rest.split(':').next());
            let line: usize = line.and_then(|line| line.parse().ok()).expect("it says where");
            assert!((1..=text.lines().count() + 1).contains(&line), "{told}");
        }
    }
}
