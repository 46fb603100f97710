//! PDUs, as they are written and read. What is written is rusmpp's work; what carriers write is read
//! with more patience than its readers have.

use std::fmt;

use countersign_primitives::{ExposeSecret, SecretString};
use rusmpp::{
    Command, CommandStatus, Pdu,
    encode::owned::Encode as _,
    pdus::{BindTransceiver, DeliverSmResp, SubmitSm},
    tlvs::MessageSubmissionRequestTlvValue,
    types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString},
    values::{
        DataCoding, EsmClass, InterfaceVersion, MessagePayload, Npi, RegisteredDelivery, Ton,
    },
};
use tokio_util::bytes::{Bytes, BytesMut};

use super::{
    settings::{Address, SmppSettings},
    status,
    text::Body,
};

/// The highest number that a PDU may have; then they begin anew (SMPP 3.4, 3.2).
pub(super) const MAX_SEQUENCE: u32 = 0x7FFF_FFFF;
/// The bytes of a header, without those that say its length.
const HEADER: usize = 12;
/// `esm_class`: the message begins with a user data header.
const HAS_HEADER: u8 = 0x40;
/// `registered_delivery`: a receipt is wanted, whatever became of the message.
const RECEIPT: u8 = 0x01;

/// A field that is too long for its place in a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// What a carrier sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) sequence: u32,
    pub(super) what: What,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// To a bind: its status.
    BindAnswer(u32),
    /// To a message: what the carrier calls it, or why it was not taken.
    SubmitAnswer(Result<Option<String>, u32>),
    /// A message to us, most likely a receipt; or something that cannot be read as such.
    Delivery(Option<Delivery>),
    /// Is anybody there?
    Enquiry,
    /// The carrier is there.
    EnquiryAnswer,
    /// The carrier ends the session.
    Unbind,
    /// The carrier agrees to the end of the session.
    UnbindAnswer,
    /// Any other question.
    Unknown,
    /// Any other answer.
    UnknownAnswer,
}

/// The parts of a `deliver_sm` that a receipt is read from. `Debug` does not show the text: a receipt
/// may repeat the beginning of what was sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) esm_class: u8,
    pub(super) text: Vec<u8>,
    pub(super) receipted_message_id: Option<String>,
    pub(super) message_state: Option<u8>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("esm_class", &self.esm_class)
            .field("receipted_message_id", &self.receipted_message_id)
            .field("message_state", &self.message_state)
            .finish_non_exhaustive()
    }
}

/// Asks for a session in which messages go out and receipts come in.
pub(super) fn bind(
    sequence: u32,
    settings: &SmppSettings,
    password: &SecretString,
) -> Result<Bytes, Unfit> {
    let bind = BindTransceiver::builder()
        .system_id(text(&settings.system_id)?)
        .password(text(password.expose_secret())?)
        .system_type(text(&settings.system_type)?)
        .interface_version(InterfaceVersion::Smpp3_4)
        .build();
    Ok(write(status::OK, sequence, bind))
}

/// Gives a part of a message to the carrier.
pub(super) fn submit(
    sequence: u32,
    source: &Address,
    destination: &Address,
    body: &Body,
    validity: &str,
) -> Result<Bytes, Unfit> {
    let esm_class = if body.has_header { HAS_HEADER } else { 0 };
    let mut submit = SubmitSm::builder()
        .source_addr_ton(Ton::from(source.kind.ton))
        .source_addr_npi(Npi::from(source.kind.npi))
        .source_addr(text(&source.text)?)
        .dest_addr_ton(Ton::from(destination.kind.ton))
        .dest_addr_npi(Npi::from(destination.kind.npi))
        .destination_addr(text(&destination.text)?)
        .esm_class(EsmClass::from(esm_class))
        .validity_period(whole_text(validity)?)
        .registered_delivery(RegisteredDelivery::from(RECEIPT))
        .data_coding(DataCoding::from(body.data_coding))
        .build();
    if body.is_payload {
        let payload = MessagePayload::new(AnyOctetString::from_slice(&body.bytes));
        submit.push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(payload));
    } else {
        submit.set_short_message(OctetString::from_slice(&body.bytes).map_err(|_| Unfit)?);
    }
    Ok(write(status::OK, sequence, submit))
}

/// Answers a receipt.
pub(super) fn delivery_answer(sequence: u32, status: u32) -> Bytes {
    write(status, sequence, DeliverSmResp::default())
}

/// Asks whether the carrier is there.
pub(super) fn enquiry(sequence: u32) -> Bytes {
    write(status::OK, sequence, Pdu::EnquireLink)
}

/// Says that we are there.
pub(super) fn enquiry_answer(sequence: u32) -> Bytes {
    write(status::OK, sequence, Pdu::EnquireLinkResp)
}

/// Ends the session.
pub(super) fn unbind(sequence: u32) -> Bytes {
    write(status::OK, sequence, Pdu::Unbind)
}

/// Agrees to the end of the session.
pub(super) fn unbind_answer(sequence: u32) -> Bytes {
    write(status::OK, sequence, Pdu::UnbindResp)
}

/// Says that a question is not understood.
pub(super) fn not_understood(sequence: u32) -> Bytes {
    write(status::NO_SUCH_COMMAND, sequence, Pdu::GenericNack)
}

/// The PDU without the bytes that say its length, which belong to the framing.
fn write(status: u32, sequence: u32, pdu: impl Into<Pdu>) -> Bytes {
    let command = Command::new(CommandStatus::from(status), sequence, pdu);
    let mut bytes = BytesMut::new();
    command.encode(&mut bytes);
    bytes.freeze()
}

fn text<const MAX: usize>(text: &str) -> Result<COctetString<1, MAX>, Unfit> {
    COctetString::from_string(text.to_owned()).map_err(|_| Unfit)
}

fn whole_text<const MAX: usize>(text: &str) -> Result<EmptyOrFullCOctetString<MAX>, Unfit> {
    EmptyOrFullCOctetString::from_string(text.to_owned()).map_err(|_| Unfit)
}

/// Reads a PDU that came without the bytes that say its length. None where it has no whole header.
pub(super) fn read(frame: &[u8]) -> Option<Incoming> {
    let (header, body) = frame.split_at_checked(HEADER)?;
    let word = |at: usize| {
        header[at..at + 4]
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    };
    let (command, status, sequence) = (word(0), word(4), word(8));
    let what = match command {
        0x8000_0009 => What::BindAnswer(status),
        0x8000_0004 if status == status::OK => What::SubmitAnswer(Ok(message_id(body))),
        // A carrier that does not know the command says so by a generic_nack.
        0x8000_0004 | 0x8000_0000 => What::SubmitAnswer(Err(status)),
        0x0000_0005 => What::Delivery(delivery(body)),
        0x0000_0015 => What::Enquiry,
        0x8000_0015 => What::EnquiryAnswer,
        0x0000_0006 => What::Unbind,
        0x8000_0006 => What::UnbindAnswer,
        command if command & 0x8000_0000 == 0 => What::Unknown,
        _ => What::UnknownAnswer,
    };
    Some(Incoming { sequence, what })
}

fn message_id(body: &[u8]) -> Option<String> {
    let id = Fields(body).text().unwrap_or(body);
    id_text(id)
}

/// An id as text: what stands before the byte that ends it, which some carriers leave out.
fn id_text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let id = str::from_utf8(bytes).ok()?.trim();
    let is_fit = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| id.to_owned())
}

/// Reads a `deliver_sm`. Parameters of a carrier's own, or ill-formed ones, do not hide the others.
fn delivery(body: &[u8]) -> Option<Delivery> {
    let mut fields = Fields(body);
    fields.text()?; // service_type
    fields.take(2)?;
    fields.text()?; // source_addr
    fields.take(2)?;
    fields.text()?; // destination_addr
    let esm_class = fields.byte()?;
    fields.take(2)?; // protocol_id, priority_flag
    fields.text()?; // schedule_delivery_time
    fields.text()?; // validity_period
    fields.take(4)?; // registered_delivery to sm_default_msg_id
    let length = fields.byte()?;
    let mut delivery = Delivery {
        esm_class,
        text: fields.take(usize::from(length))?.to_vec(),
        ..Delivery::default()
    };
    while let Some((tag, value)) = fields.parameter() {
        match tag {
            0x001E => delivery.receipted_message_id = id_text(value),
            0x0427 => delivery.message_state = value.first().copied(),
            0x0424 if delivery.text.is_empty() => delivery.text = value.to_vec(),
            _ => {}
        }
    }
    Some(delivery)
}

/// The bytes of a body that were not read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn word(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// What stands before the next zero byte.
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        self.take(end + 1).map(|bytes| &bytes[..end])
    }

    /// The next parameter: its tag and its value.
    fn parameter(&mut self) -> Option<(u16, &'a [u8])> {
        let (tag, length) = (self.word()?, self.word()?);
        Some((tag, self.take(usize::from(length))?))
    }
}

#[cfg(test)]
mod tests;
