//! Espressif's MAC address blocks.

/// Blocks (OUI) registered to Espressif, sorted.
const BLOCKS: &[[u8; 3]] = &[[0x24, 0x0a, 0xc4], [0x30, 0xae, 0xa4], [0xa4, 0xcf, 0x12]];

/// The address is of one of Espressif's blocks.
pub fn is_espressif(mac: [u8; 6]) -> bool {
    let [a, b, c, ..] = mac;
    BLOCKS.binary_search(&[a, b, c]).is_ok()
}
