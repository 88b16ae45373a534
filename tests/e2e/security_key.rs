//! A FIDO security key as an agent holds one. Its chip is software, and what it says is the real thing to sshd.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use sha2::{Digest as _, Sha256};

const KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";
const APPLICATION: &[u8] = b"ssh:";
/// The user touched it.
const TOUCHED: u8 = 1;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const FAILURE: u8 = 5;

/// Serves an agent with one security key until the process ends; the line for `authorized_keys`.
pub fn agent_with_security_key(socket: &Path) -> String {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let public = [text(KIND), text(key.der_bytes()), text(APPLICATION)].concat();
    let line = format!(
        "{} {} token",
        String::from_utf8_lossy(KIND),
        STANDARD.encode(&public)
    );
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection ends with its client.
            let _ended = serve(stream, &key, &public);
        }
    });
    line
}

fn serve(mut stream: UnixStream, key: &KeyPair, public: &[u8]) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request)?;
        let answer = match request[0] {
            REQUEST_IDENTITIES => [
                &[IDENTITIES_ANSWER, 0, 0, 0, 1][..],
                &text(public),
                &text(b"token"),
            ]
            .concat(),
            SIGN_REQUEST => {
                let (own, rest) = first(&request[1..]);
                assert_eq!(own, public);
                [&[SIGN_RESPONSE][..], &text(&signature(key, first(rest).0))].concat()
            }
            _ => vec![FAILURE],
        };
        stream.write_all(&text(&answer))?;
    }
}

/// A signature as `PROTOCOL.u2f` of OpenSSH has it.
fn signature(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let state = [&[TOUCHED][..], &7_u32.to_be_bytes()].concat();
    let signed = [
        &Sha256::digest(APPLICATION)[..],
        &state,
        &Sha256::digest(message),
    ]
    .concat();
    [text(KIND), text(&key.sign(&signed).unwrap()), state].concat()
}

/// Bytes with their length before them.
fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// The first of texts, and the rest.
fn first(texts: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = texts.split_at(4);
    let length = u32::from_be_bytes(length.try_into().unwrap());
    rest.split_at(length as usize)
}
