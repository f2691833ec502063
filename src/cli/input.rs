//! Where commands read their lines: a file that the user named, plain or gzip-compressed, or standard input.

use super::Exit;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

/// Opens the file, or standard input for none or `-`. What fails is said on stderr.
pub fn open(file: Option<&Path>) -> Result<Box<dyn BufRead>, Exit> {
    let Some(path) = file.filter(|path| path.as_os_str() != "-") else {
        return Ok(Box::new(BufReader::with_capacity(1 << 16, stdin())));
    };
    let opened = File::open(path).and_then(|file| {
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        Ok((reader, gzip))
    });
    match opened {
        Ok((reader, true)) => {
            let unpacked: Box<dyn Read> = Box::new(flate2::bufread::MultiGzDecoder::new(reader));
            Ok(Box::new(BufReader::with_capacity(1 << 16, unpacked)))
        }
        Ok((reader, false)) => Ok(Box::new(reader)),
        Err(error) => {
            eprintln!("hids: cannot read {}: {error}", path.display());
            Err(Exit::Io)
        }
    }
}
