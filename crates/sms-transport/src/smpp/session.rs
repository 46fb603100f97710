//! One connection to a carrier, once it is bound.

use std::{collections::HashMap, time::Duration};

use countersign_mfa::ports::sms::{MessageState, Report, ReportedMessage};
use countersign_primitives::MessageId;
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{
    bytes::{Bytes, BytesMut},
    codec::{Framed, LengthDelimitedCodec},
    sync::CancellationToken,
};

use super::{
    Shared,
    parts::Answered,
    pdu::{self, Delivery, Incoming, What},
    receipt::{Fate, Receipt},
    settings::Address,
    status,
    text::Body,
};

/// The longest PDU that is read: receipts are far shorter.
const MAX_PDU: usize = 16 * 1024;
/// How long a carrier may take to agree to the end of a session.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection, with or without TLS.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, cut into PDUs without the bytes that say their length.
pub(super) type Wire = Framed<Box<dyn Io>, LengthDelimitedCodec>;

/// Cuts a connection into PDUs.
pub(super) fn wire(io: Box<dyn Io>) -> Wire {
    let codec = LengthDelimitedCodec::builder()
        .length_field_length(4)
        .length_adjustment(-4)
        .max_frame_length(MAX_PDU)
        .new_codec();
    Framed::new(io, codec)
}

/// What a session is asked to do.
pub(super) enum Order {
    /// To give a part of a message to the carrier.
    Submit(Box<Submit>),
    /// To end, if the window is full of what nobody waits for any more: nothing can be sent in it.
    EndIfStuck,
}

/// A part of a message.
pub(super) struct Submit {
    pub(super) part: Part,
    pub(super) destination: Address,
    pub(super) body: Body,
    pub(super) validity: String,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Its place in the window, which it has until it is answered.
    pub(super) place: OwnedSemaphorePermit,
}

/// Which part of which message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) message: MessageId,
    pub(super) index: usize,
    pub(super) count: usize,
}

/// What became of an order. It is dropped unanswered where the connection was cut.
#[derive(Debug)]
pub(super) enum Answer {
    /// The carrier took the part, and calls it so.
    Taken(Option<String>),
    /// The carrier answered with this status.
    Status(u32),
    /// It was not given to the carrier.
    NotGiven,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// We were asked to.
    Asked,
    /// Something is wrong with the connection or the carrier.
    Lost(String),
}

/// What was given to the carrier and not answered.
struct Given {
    part: Part,
    answer: oneshot::Sender<Answer>,
    _place: OwnedSemaphorePermit,
}

/// A session that is bound.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    wire: Wire,
    sequence: u32,
    given: HashMap<u32, Given>,
    heard: Instant,
    /// When the carrier was asked whether it is there, while it has not answered.
    asked: Option<Instant>,
}

impl<'a> Session<'a> {
    /// A session over a connection that is not bound yet.
    pub(super) fn new(shared: &'a Shared, wire: Wire) -> Self {
        Self {
            shared,
            wire,
            sequence: 0,
            given: HashMap::new(),
            heard: Instant::now(),
            asked: None,
        }
    }

    /// Binds, and waits for the carrier's answer.
    pub(super) async fn bind(&mut self) -> Result<(), BindError> {
        let sequence = self.next_sequence();
        let bind = pdu::bind(sequence, &self.shared.settings, &self.shared.password)
            .map_err(|_| BindError::Lost("a setting does not fit".to_owned()))?;
        self.write(bind).await.map_err(BindError::Lost)?;
        loop {
            let Incoming { sequence, what } = self.read().await.map_err(BindError::Lost)?;
            match what {
                What::BindAnswer(status::OK) => return Ok(()),
                What::BindAnswer(status) | What::SubmitAnswer(Err(status)) => {
                    return Err(BindError::Refused(status));
                }
                What::Enquiry => {
                    let answer = self.write(pdu::enquiry_answer(sequence)).await;
                    answer.map_err(BindError::Lost)?;
                }
                _ => {}
            }
        }
    }

    /// Does what it is asked to until it ends. Orders that it has not begun are answered so.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        stop: &CancellationToken,
    ) -> End {
        let end = loop {
            let next_look = self.next_look();
            let step = tokio::select! {
                () = stop.cancelled() => {
                    self.part().await;
                    break End::Asked;
                }
                read = self.wire.next() => match incoming(read) {
                    Ok(incoming) => self.take(incoming).await,
                    Err(lost) => Err(lost),
                },
                Some(order) = orders.recv() => self.obey(order).await,
                () = sleep_until(next_look) => self.look().await,
            };
            if let Err(lost) = step {
                break End::Lost(lost);
            }
        };
        orders.close();
        while let Some(order) = orders.recv().await {
            if let Order::Submit(submit) = order {
                let _ = submit.answer.send(Answer::NotGiven);
            }
        }
        end
    }

    async fn obey(&mut self, order: Order) -> Result<(), String> {
        let submit = match order {
            Order::Submit(submit) => *submit,
            Order::EndIfStuck => {
                let is_full = self.given.len() >= usize::from(self.shared.settings.window);
                let mut given = self.given.values();
                let is_stuck = is_full && given.all(|given| given.answer.is_closed());
                return if is_stuck {
                    Err("the window is full of messages that were not answered".to_owned())
                } else {
                    Ok(())
                };
            }
        };
        let sequence = self.next_sequence();
        let source = &self.shared.settings.source;
        let pdu = pdu::submit(
            sequence,
            source,
            &submit.destination,
            &submit.body,
            &submit.validity,
        );
        let Ok(pdu) = pdu else {
            let _ = submit.answer.send(Answer::NotGiven);
            return Ok(());
        };
        // Before it is written: of what is half written nobody knows what the carrier has.
        let given = Given {
            part: submit.part,
            answer: submit.answer,
            _place: submit.place,
        };
        self.given.insert(sequence, given);
        self.write(pdu).await
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), String> {
        self.heard = Instant::now();
        self.asked = None;
        let sequence = incoming.sequence;
        match incoming.what {
            What::SubmitAnswer(answer) => self.answered(sequence, answer),
            What::Delivery(Some(delivery)) => {
                let status = self.delivered(&delivery);
                self.write(pdu::delivery_answer(sequence, status)).await
            }
            What::Delivery(None) => {
                tracing::warn!(
                    sms.provider = %self.shared.name,
                    "the carrier sent a message that cannot be read, perhaps a receipt"
                );
                let answer = pdu::delivery_answer(sequence, status::NOT_UNDERSTOOD);
                self.write(answer).await
            }
            What::Enquiry => self.write(pdu::enquiry_answer(sequence)).await,
            What::Unbind => {
                self.write(pdu::unbind_answer(sequence)).await?;
                Err("the carrier ended the session".to_owned())
            }
            What::Unknown => self.write(pdu::not_understood(sequence)).await,
            What::BindAnswer(_)
            | What::EnquiryAnswer
            | What::UnbindAnswer
            | What::UnknownAnswer => Ok(()),
        }
    }

    /// Hands an answer to whoever waits for it, or reports it where nobody does any more.
    fn answered(
        &mut self,
        sequence: u32,
        answer: Result<Option<String>, u32>,
    ) -> Result<(), String> {
        let Some(Given {
            part, answer: to, ..
        }) = self.given.remove(&sequence)
        else {
            return Ok(());
        };
        let (answer, late) = match answer {
            Ok(id) => {
                let id = id.map(|id| self.shared.settings.message_ids.of_answer(&id));
                self.shared.pace().accepted();
                let taken = if part.count == 1 {
                    Answered::Taken(id.clone())
                } else {
                    let mut parts = self.shared.parts();
                    parts.taken(part.message, part.index, id.clone())
                };
                let late = match taken {
                    Answered::Taken(id) => Some((MessageState::Sent, id)),
                    Answered::Partly => None,
                };
                (Answer::Taken(id), late)
            }
            Err(status) => {
                if status::is_throttled(status) {
                    self.shared.pace().throttled(Instant::now());
                }
                (Answer::Status(status), Some((MessageState::Failed, None)))
            }
        };
        let is_unbound = matches!(answer, Answer::Status(status::NOT_BOUND));
        if to.send(answer).is_err()
            && let Some((state, id)) = late
        {
            let report = Report {
                provider: self.shared.name.clone(),
                about: ReportedMessage::Ours(part.message, id),
                state,
            };
            let reports = self.shared.reports.clone();
            tokio::spawn(async move { reports.send(report).await });
        }
        if is_unbound {
            return Err("the carrier says that the session is not bound".to_owned());
        }
        Ok(())
    }

    /// Hands a receipt over: the status that it is to be answered with. A carrier sends again what is
    /// answered with a temporary error.
    fn delivered(&self, delivery: &Delivery) -> u32 {
        let Some(receipt) = Receipt::read(delivery, self.shared.settings.message_ids) else {
            return status::OK;
        };
        let (id, fate) = match self.shared.parts().receipt(&receipt.id, receipt.fate) {
            Some((Some(id), fate)) => (id, fate),
            // The answer that names the first part is still to come.
            Some((None, _)) => return status::TRY_AGAIN,
            None => (receipt.id, receipt.fate),
        };
        let state = match fate {
            Fate::Delivered => MessageState::Delivered,
            Fate::Failed => MessageState::Failed,
            Fate::Open => return status::OK,
        };
        let report = Report {
            provider: self.shared.name.clone(),
            about: ReportedMessage::ByCarrier(id),
            state,
        };
        match self.shared.reports.try_send(report) {
            Ok(()) => status::OK,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => status::TRY_AGAIN,
        }
    }

    /// When the carrier is to be asked whether it is there, or has had the time to say so.
    fn next_look(&self) -> Instant {
        let settings = &self.shared.settings;
        match self.asked {
            Some(asked) => asked + settings.response_timeout,
            None => self.heard + settings.enquire_link,
        }
    }

    async fn look(&mut self) -> Result<(), String> {
        if self.asked.is_some() {
            return Err("the carrier did not answer enquire_link".to_owned());
        }
        self.asked = Some(Instant::now());
        let sequence = self.next_sequence();
        self.write(pdu::enquiry(sequence)).await
    }

    /// Takes leave, and waits a moment for the carrier to agree.
    async fn part(&mut self) {
        let sequence = self.next_sequence();
        if self.write(pdu::unbind(sequence)).await.is_err() {
            return;
        }
        let agreed = async {
            while let Ok(incoming) = incoming(self.wire.next().await) {
                if incoming.what == What::UnbindAnswer {
                    return;
                }
            }
        };
        let _ = timeout(FAREWELL, agreed).await;
    }

    async fn write(&mut self, pdu: Bytes) -> Result<(), String> {
        let most = self.shared.settings.response_timeout;
        match timeout(most, self.wire.send(pdu)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the carrier reads no more".to_owned()),
        }
    }

    async fn read(&mut self) -> Result<Incoming, String> {
        let most = self.shared.settings.response_timeout;
        match timeout(most, self.wire.next()).await {
            Ok(read) => incoming(read),
            Err(_) => Err("the carrier did not answer in time".to_owned()),
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence < pdu::MAX_SEQUENCE {
            self.sequence + 1
        } else {
            1
        };
        self.sequence
    }
}

/// Why a session did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BindError {
    /// The carrier answered with this status.
    Refused(u32),
    /// The connection came to an end.
    Lost(String),
}

fn incoming(read: Option<Result<BytesMut, std::io::Error>>) -> Result<Incoming, String> {
    match read {
        None => Err("the carrier closed the connection".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(frame)) => pdu::read(&frame).ok_or_else(|| "the carrier sent no PDU".to_owned()),
    }
}
