//! The program must start on hosts without liblxc: it is found by `dlopen`, never linked.

use std::fs;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The libraries that a 64-bit little-endian ELF file is linked with (elf(5)).
fn needed(file: &[u8]) -> Vec<String> {
    assert_eq!(&file[..6], b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file");
    let (table, size, count) = (number(file, 32, 8), number(file, 54, 2), number(file, 56, 2));
    let headers: Vec<usize> = (0..count).map(|n| usize::try_from(table + n * size).unwrap()).collect();
    let offset_of = |address: u64| {
        let holds = |at: &&usize| {
            let (start, length) = (number(file, **at + 16, 8), number(file, **at + 32, 8));
            number(file, **at, 4) == u64::from(PT_LOAD) && (start..start + length).contains(&address)
        };
        let at = headers.iter().find(holds).unwrap();
        usize::try_from(address - number(file, at + 16, 8) + number(file, at + 8, 8)).unwrap()
    };
    let dynamic = headers.iter().find(|at| number(file, **at, 4) == u64::from(PT_DYNAMIC)).unwrap();
    let start = usize::try_from(number(file, dynamic + 8, 8)).unwrap();
    let length = usize::try_from(number(file, dynamic + 32, 8)).unwrap();
    let entries: Vec<(u64, u64)> =
        (start..start + length).step_by(16).map(|at| (number(file, at, 8), number(file, at + 8, 8))).collect();
    let strings = offset_of(entries.iter().find(|(tag, _)| *tag == DT_STRTAB).unwrap().1);
    let name = |offset: u64| {
        let from = strings + usize::try_from(offset).unwrap();
        let text: Vec<u8> = file[from..].iter().copied().take_while(|byte| *byte != 0).collect();
        String::from_utf8(text).unwrap()
    };
    entries.iter().filter(|(tag, _)| *tag == DT_NEEDED).map(|(_, offset)| name(*offset)).collect()
}

#[test]
fn the_program_is_not_linked_with_liblxc() {
    let needed = needed(&fs::read(env!("CARGO_BIN_EXE_hids")).unwrap());
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "nothing read: {needed:?}");
    assert!(!needed.iter().any(|name| name.contains("lxc")), "linked with liblxc: {needed:?}");
}
