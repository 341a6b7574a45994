//! The pcapng format: blocks in sections, each section with its own byte order and interfaces.
//!
//! Knows the blocks that carry frames, interfaces and losses, and steps over all others. The frame of a block is
//! checked here before anything looks inside, so that a length that lies within a complete block is damage and not
//! a reason to read on. Packet blocks are read by hand: pcap-parser makes a list of the options of each packet,
//! and that is an allocation a packet.

mod clock;

use pcap_parser::pcapng::{
    CB_MAGIC, DCB_MAGIC, EPB_MAGIC, IDB_MAGIC, ISB_MAGIC, InterfaceDescriptionBlock, OptionCode, SHB_MAGIC,
    SJE_MAGIC, SPB_MAGIC, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use self::clock::Clock;
use super::record::{Head, Step, link_type, u16_at, u32_at};
use crate::analysis::input::LinkType;
use crate::analysis::time::Timestamp;

/// The obsolete packet block: as an enhanced one, with two 16-bit fields where that has its interface.
const OPB_MAGIC: u32 = 2;
/// Wireshark's limit too: a longer block is taken for damage.
const MAX_BLOCK: u32 = 16 * 1024 * 1024;
/// Type, length, and the length again.
const MIN_BLOCK: u32 = 12;

pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packets have no time of their own: they get that of the frame before.
    last: Timestamp,
}

struct Interface {
    link: LinkType,
    clock: Clock,
    /// 0: no limit.
    snaplen: u32,
    /// Lost frames that were told with frames of this section.
    told: u64,
}

/// Whether these octets, up to four, begin a pcapng file.
pub(super) fn is_magic(data: &[u8]) -> bool {
    SHB_MAGIC.to_le_bytes().starts_with(data.get(..4).unwrap_or(data))
}

impl Pcapng {
    pub fn new() -> Pcapng {
        Pcapng { big_endian: false, interfaces: Vec::new(), last: Timestamp::ZERO }
    }

    pub fn step(&mut self, data: &[u8]) -> Step {
        if data.len() < MIN_BLOCK as usize {
            return Step::Need(MIN_BLOCK as usize);
        }
        let mut kind = u32_at(data, 0, self.big_endian);
        if kind == SHB_MAGIC {
            // Reads the same in both byte orders; the field after the length says which one holds from here.
            match u32_at(data, 8, false) {
                0x1a2b_3c4d => self.big_endian = false,
                0x4d3c_2b1a => self.big_endian = true,
                other => return Step::Damaged(format!("a section's byte-order magic reads {other:#010x}")),
            }
            kind = SHB_MAGIC;
        }
        let length = u32_at(data, 4, self.big_endian);
        if length < MIN_BLOCK || !length.is_multiple_of(4) || length > MAX_BLOCK {
            return Step::Damaged(format!("a block of type {kind:#x} claims {length} octets"));
        }
        let size = length as usize;
        let Some(block) = data.get(..size) else { return Step::Need(size) };
        let again = u32_at(block, size - 4, self.big_endian);
        if again != length {
            return Step::Damaged(format!(
                "a block of type {kind:#x} begins with the length {length} and ends with {again}"
            ));
        }
        match kind {
            SHB_MAGIC => self.section(block),
            IDB_MAGIC => self.interface(block),
            EPB_MAGIC | OPB_MAGIC => self.packet(block, kind),
            SPB_MAGIC => self.simple_packet(block),
            ISB_MAGIC => self.statistics(block),
            // No frames, but Wireshark lists and numbers them: journal entries, custom blocks, sysdig events.
            SJE_MAGIC | CB_MAGIC | DCB_MAGIC | 0x204 | 0x208 | 0x216 | 0x217 | 0x221 | 0x222 => {
                Step::Numbered(size)
            }
            _ => Step::Other(size),
        }
    }

    fn section(&mut self, block: &[u8]) -> Step {
        let version = u16_at(block, 12, self.big_endian);
        if block.len() < 28 || version != 1 {
            return Step::Damaged(format!("a section of pcapng version {version} is unknown"));
        }
        self.interfaces.clear();
        Step::Other(block.len())
    }

    fn interface(&mut self, block: &[u8]) -> Step {
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let Ok((_, description)) = parsed else {
            return Step::Damaged("an interface description is unreadable".to_owned());
        };
        self.interfaces.push(Interface {
            link: link_type(description.linktype.0 as u32),
            clock: Clock::new(description.if_tsresol, tsoffset(&description, self.big_endian)),
            snaplen: description.snaplen,
            told: 0,
        });
        Step::Other(block.len())
    }

    fn packet(&mut self, block: &[u8], kind: u32) -> Step {
        const FIXED: usize = 28;
        let big_endian = self.big_endian;
        let Some(body) = block.len().checked_sub(FIXED + 4) else { return too_short(kind, block) };
        let (id, mut lost) = if kind == OPB_MAGIC {
            // All ones: the writer did not know.
            let drops = u16_at(block, 10, big_endian);
            (u32::from(u16_at(block, 8, big_endian)), if drops == u16::MAX { 0 } else { u64::from(drops) })
        } else {
            (u32_at(block, 8, big_endian), 0)
        };
        let caplen = u32_at(block, 20, big_endian);
        let wire_len = u32_at(block, 24, big_endian).max(caplen);
        let end = FIXED + caplen as usize;
        let options = end.next_multiple_of(4);
        if caplen as usize > body {
            return Step::Damaged(format!("a packet of {caplen} octets in a block of {}", block.len()));
        }
        let Some(interface) = self.interfaces.get_mut(id as usize) else { return no_interface(id) };
        if kind == EPB_MAGIC && options + 4 < block.len() {
            lost = option_u64(block, options, 4, big_endian).unwrap_or(0);
        }
        let lost = plausible(lost);
        interface.told = interface.told.saturating_add(lost);
        let units = u64::from(u32_at(block, 12, big_endian)) << 32 | u64::from(u32_at(block, 16, big_endian));
        let time = interface.clock.time(units);
        self.last = time;
        Step::Frame {
            head: Head { time, link: interface.link, wire_len },
            data: FIXED..end,
            size: block.len(),
            lost,
        }
    }

    fn simple_packet(&mut self, block: &[u8]) -> Step {
        const FIXED: usize = 12;
        let Some(body) = block.len().checked_sub(FIXED + 4) else { return too_short(SPB_MAGIC, block) };
        let Some(interface) = self.interfaces.first() else { return no_interface(0) };
        let wire_len = u32_at(block, 8, self.big_endian);
        // The block does not say how much was kept: the rest is padding.
        let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        let caplen = (wire_len.min(snaplen) as usize).min(body);
        Step::Frame {
            head: Head { time: self.last, link: interface.link, wire_len },
            data: FIXED..FIXED + caplen,
            size: block.len(),
            lost: 0,
        }
    }

    /// Counts run from the start of the capture and include what was told frame by frame.
    fn statistics(&mut self, block: &[u8]) -> Step {
        const FIXED: usize = 20;
        let size = block.len();
        let Some(interface) = self.interfaces.get_mut(u32_at(block, 8, self.big_endian) as usize) else {
            return Step::Other(size);
        };
        let by_interface = plausible(option_u64(block, FIXED, 5, self.big_endian).unwrap_or(0));
        let by_kernel = plausible(option_u64(block, FIXED, 7, self.big_endian).unwrap_or(0));
        let fresh = (by_interface + by_kernel).saturating_sub(interface.told);
        if fresh == 0 {
            return Step::Other(size);
        }
        interface.told = interface.told.saturating_add(fresh);
        let kernel = fresh.min(by_kernel);
        Step::Lost { size, kernel, interface: fresh - kernel }
    }
}

/// pcap-parser reads this option as little-endian in sections of either order.
fn tsoffset(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> i64 {
    let option = description.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    let octets = option.and_then(|option| option.as_bytes().ok()).and_then(|octets| octets.try_into().ok());
    octets.map_or(0, if big_endian { i64::from_be_bytes } else { i64::from_le_bytes })
}

/// The value of the first option `code` among those from `at` to the block's last length.
fn option_u64(block: &[u8], mut at: usize, code: u16, big_endian: bool) -> Option<u64> {
    let end = block.len().checked_sub(4)?;
    while at + 4 <= end {
        let length = usize::from(u16_at(block, at + 2, big_endian));
        match u16_at(block, at, big_endian) {
            0 => return None,
            found if found == code && length == 8 => {
                let octets = block.get(at + 4..at + 12).filter(|_| at + 12 <= end)?.try_into().ok()?;
                return Some(if big_endian {
                    u64::from_be_bytes(octets)
                } else {
                    u64::from_le_bytes(octets)
                });
            }
            _ => at += 4 + length.next_multiple_of(4),
        }
    }
    None
}

/// A loss beyond this is not a count but a broken field; capped, no sum of losses can overflow.
fn plausible(lost: u64) -> u64 {
    lost.min(u64::from(u32::MAX))
}

fn too_short(kind: u32, block: &[u8]) -> Step {
    Step::Damaged(format!("a block of type {kind:#x} has only {} octets", block.len()))
}

fn no_interface(id: u32) -> Step {
    Step::Damaged(format!("a packet names interface {id}, which its section does not describe"))
}
