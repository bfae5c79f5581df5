//! What somebody said who signs in (LOGIN7).
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/773a62b6-ee89-4c02-9e5e-344882630aac>

/// A sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Whether nobody on the network could read it.
    pub is_encrypted: bool,
    /// Account; empty with a token.
    pub account: String,
    /// Password; empty with a token.
    pub password: String,
    /// Token of Entra ID, in the feature extension for it.
    pub token: Option<String>,
    /// Whether the client repeats that the server knows tokens.
    pub echoes: bool,
    /// Database that is to be opened.
    pub database: String,
    /// How the client calls the server.
    pub server: String,
    /// How the client calls itself.
    pub program: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SignIn")
            .field("is_encrypted", &self.is_encrypted)
            .field("account", &self.account)
            .field("database", &self.database)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Where the places of texts begin, after the fixed part.
const PLACES: usize = 36;

impl SignIn {
    /// Reads the content of a message.
    pub(super) fn read(content: &[u8], is_encrypted: bool) -> Option<Self> {
        let named = |number: usize| -> Option<String> {
            let (start, length) = place(content, number)?;
            Some(text(content.get(start..start + 2 * length)?))
        };
        let (start, length) = place(content, 2)?;
        let password: Vec<u8> = content
            .get(start..start + 2 * length)?
            .iter()
            .map(|byte| (byte ^ 0xa5).rotate_left(4))
            .collect();
        let extension = extension(content);
        Some(Self {
            is_encrypted,
            account: named(1)?,
            password: text(&password),
            echoes: extension.as_ref().is_some_and(|(echoes, _)| *echoes),
            token: extension.map(|(_, token)| token),
            database: named(8)?,
            server: named(4)?,
            program: named(3)?,
        })
    }

    /// The password or token.
    pub(super) fn secret(&self) -> &str {
        self.token.as_deref().unwrap_or(&self.password)
    }
}

/// Where a text stands, and its length.
fn place(content: &[u8], number: usize) -> Option<(usize, usize)> {
    let place = content.get(PLACES + 4 * number..)?;
    let [a, b, c, d] = *place.first_chunk()?;
    let start = usize::from(u16::from_le_bytes([a, b]));
    Some((start, usize::from(u16::from_le_bytes([c, d]))))
}

/// The token in the feature extension, and whether the client echoes.
fn extension(content: &[u8]) -> Option<(bool, String)> {
    const USED: u8 = 0x10;
    const TOKEN: u8 = 2;
    const LIBRARY: u8 = 1;
    if content.get(27)? & USED == 0 {
        return None;
    }
    let word = |at: usize| -> Option<usize> {
        let bytes = content.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let (at, _) = place(content, 5)?;
    let start = word(at)?;
    let length = word(start + 1)?;
    let data = content.get(start + 5..start + 5 + length)?;
    let is_token = content[start] == TOKEN && data.first()? >> 1 == LIBRARY;
    let token_length = u32::from_le_bytes(*data.get(1..)?.first_chunk()?);
    let token = data.get(5..5 + usize::try_from(token_length).ok()?)?;
    is_token.then(|| (data[0] & 1 == 1, text(token)))
}

/// A text in UTF-16.
pub(super) fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}
