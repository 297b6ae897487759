//! Link: one end of a control socket. It carries frames and matches answers to questions; what they mean is not its matter.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::frame::{Answer, Frame, MAX_BYTES, Question, Tell};

/// How long an answer is waited for: what is asked takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one end does with what arrives.
pub(super) trait Hears: Send + Sync + 'static {
    /// Hears what needs no answer.
    fn told(&self, tell: Tell);

    /// Answers a question.
    fn asked(&self, question: Question) -> impl Future<Output = Answer> + Send;
}

/// One end. What is sent when the other is gone is lost, and questions have no answer.
#[derive(Debug)]
pub(super) struct Link {
    writer: tokio::sync::Mutex<FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>>,
    later: mpsc::UnboundedSender<Later>,
    asked: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    next: AtomicU64,
}

/// What makes a link work, for as long as it is run.
#[derive(Debug)]
pub(super) struct Carrier {
    link: Arc<Link>,
    reader: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    later: mpsc::UnboundedReceiver<Later>,
}

/// What is sent after what was to be sent before it.
#[derive(Debug)]
enum Later {
    Frame(Frame),
    /// Is told when all before it is sent.
    Settled(oneshot::Sender<()>),
}

/// Makes an end of a socket.
pub(super) fn link(socket: UnixStream) -> (Arc<Link>, Carrier) {
    let (read, write) = socket.into_split();
    let codec = LengthDelimitedCodec::builder().max_frame_length(MAX_BYTES).new_codec();
    let (sender, later) = mpsc::unbounded_channel();
    let link = Arc::new(Link {
        writer: tokio::sync::Mutex::new(FramedWrite::new(write, codec.clone())),
        later: sender,
        asked: Mutex::default(),
        next: AtomicU64::new(0),
    });
    (Arc::clone(&link), Carrier { link, reader: FramedRead::new(read, codec), later })
}

impl Link {
    /// Sends what needs no answer; it is with the system when this returns.
    pub(super) async fn tell(&self, tell: Tell) {
        self.send(&Frame::Tell(tell)).await;
    }

    /// Sends what needs no answer, soon.
    pub(super) fn tell_soon(&self, tell: Tell) {
        // Without the other end nobody wants to hear it.
        let _ = self.later.send(Later::Frame(Frame::Tell(tell)));
    }

    /// Waits until what was to be sent soon is sent, or can't be any more.
    pub(super) async fn settled(&self) {
        let (sender, sent) = oneshot::channel();
        if self.later.send(Later::Settled(sender)).is_ok() {
            drop(tokio::time::timeout(PATIENCE, sent).await);
        }
    }

    /// Asks, and waits for the answer; none when the other end is gone or silent.
    pub(super) async fn ask(&self, question: Question) -> Option<Answer> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.asked().insert(number, sender);
        self.send(&Frame::Ask(number, question)).await;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        self.asked().remove(&number);
        answer.ok()?.ok()
    }

    async fn send(&self, frame: &Frame) {
        let sent = async {
            let json = serde_json::to_vec(frame)?;
            self.writer.lock().await.send(Bytes::from(json)).await
        };
        if let Err(error) = sent.await {
            tracing::debug!(%error, "a frame was not sent");
        }
    }

    fn answered(&self, number: u64, answer: Answer) {
        if let Some(waiting) = self.asked().remove(&number) {
            // Whoever gave up hears nothing.
            let _ = waiting.send(answer);
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier {
    /// Carries frames until the other end is gone.
    ///
    /// # Errors
    /// Of the socket, or a frame that can't be read.
    pub(super) async fn carry(self, hears: Arc<impl Hears>) -> io::Result<()> {
        let Self { link, mut reader, mut later } = self;
        let mut answering = JoinSet::new();
        let sending = async {
            while let Some(later) = later.recv().await {
                match later {
                    Later::Frame(frame) => link.send(&frame).await,
                    // Whoever gave up hears nothing.
                    Later::Settled(waiting) => drop(waiting.send(())),
                }
            }
        };
        let reading = async {
            while let Some(bytes) = reader.next().await {
                match serde_json::from_slice(&bytes?)? {
                    Frame::Tell(tell) => hears.told(tell),
                    Frame::Answer(number, answer) => link.answered(number, answer),
                    Frame::Ask(number, question) => {
                        let (link, hears) = (Arc::clone(&link), Arc::clone(&hears));
                        answering.spawn(async move {
                            let answer = hears.asked(question).await;
                            link.send(&Frame::Answer(number, answer)).await;
                        });
                    }
                }
                while answering.try_join_next().is_some() {}
            }
            Ok(())
        };
        let ended = tokio::select! {
            ended = reading => ended,
            () = sending => Ok(()),
        };
        // Nothing is answered any more.
        self::Link::asked(&link).clear();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use basin_engine::QueryId;

    struct Echo(mpsc::UnboundedSender<Tell>);

    impl Hears for Echo {
        fn told(&self, tell: Tell) {
            let _ = self.0.send(tell);
        }

        async fn asked(&self, question: Question) -> Answer {
            match question {
                Question::Running => std::future::pending().await,
                Question::Cancel(_) | Question::Bury { .. } | Question::Figures | Question::Ready => {
                    Answer::Done(true)
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_told_arrives_in_order_and_questions_are_answered() {
        let (here, there) = UnixStream::pair().unwrap();
        let ((mine, carrier), (_theirs, other)) = (link(here), link(there));
        let (heard, mut told) = mpsc::unbounded_channel();
        let both = [
            tokio::spawn(carrier.carry(Arc::new(Echo(heard.clone())))),
            tokio::spawn(other.carry(Arc::new(Echo(heard)))),
        ];
        mine.tell(Tell::Ready).await;
        mine.tell(Tell::Ended(vec![QueryId::new()])).await;
        assert!(matches!(told.recv().await, Some(Tell::Ready)));
        assert!(matches!(told.recv().await, Some(Tell::Ended(keys)) if keys.len() == 1));
        assert!(matches!(mine.ask(Question::Cancel(QueryId::new())).await, Some(Answer::Done(true))));
        let [_, other] = both;
        other.abort();
        assert!(mine.ask(Question::Running).await.is_none());
    }
}
