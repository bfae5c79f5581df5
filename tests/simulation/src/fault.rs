//! What can go wrong with a request, and how often.

use std::time::Duration;

use crate::random::Dice;

/// The fate of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered at once.
    None,
    /// It arrives late and is answered at once.
    Slow(Duration),
    /// It never arrives; the caller is told so.
    Refused,
    /// It never arrives; the caller is told to come back later.
    Throttled,
    /// It is carried out, but the answer gets lost.
    ReplyLost,
    /// It is on its way for so long that the caller may have given up, and is carried out then.
    Late(Duration),
    /// It arrives twice; the caller gets the first or the second answer.
    Repeated {
        /// Which answer.
        is_second_answered: bool,
    },
    /// It is carried out and answered, and arrives again later.
    RepeatedLater(Duration),
    /// The process dies at this request.
    Crash(Crash),
}

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Before the request is sent.
    Before,
    /// When it has been carried out, before the answer arrives.
    After,
    /// While it is on its way; it arrives this much later.
    OnItsWay(Duration),
}

/// How often requests meet which fault, per million, and how often disasters happen. Each seed
/// draws its own: some runs know one kind of fault only, some many, some none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FaultPlan {
    /// Requests that take a moment.
    pub(crate) slow: u32,
    /// Requests that never arrive.
    pub(crate) refused: u32,
    /// Answers that get lost.
    pub(crate) reply_lost: u32,
    /// Requests that arrive long after.
    pub(crate) late: u32,
    /// Requests that arrive twice.
    pub(crate) repeated: u32,
    /// Deaths of processes.
    pub(crate) crash: u32,
    /// Dumps that fail.
    pub(crate) dump_failure: u32,
    /// Dumps that take long.
    pub(crate) dump_slow: u32,
    /// Disasters: outages of a store, stopped, cut off or killed processes, lost messages. The
    /// mean time between two; none at all when absent.
    pub(crate) disasters_every: Option<Duration>,
}

impl FaultPlan {
    /// A plan without any fault but the usual small delays.
    pub(crate) const CALM: Self = Self {
        slow: 200_000,
        refused: 0,
        reply_lost: 0,
        late: 0,
        repeated: 0,
        crash: 0,
        dump_failure: 0,
        dump_slow: 0,
        disasters_every: None,
    };

    /// The plan of a seed.
    pub(crate) fn draw(dice: &Dice) -> Self {
        let often = |dice: &Dice| dice.pick(0, &[500, 3_000, 12_000, 40_000]);
        let hours = |hours| Some(Duration::from_hours(hours));
        Self {
            slow: dice.pick(50_000, &[200_000, 500_000]),
            refused: often(dice),
            reply_lost: often(dice),
            late: often(dice),
            repeated: often(dice),
            crash: dice.pick(0, &[300, 1_500, 6_000]),
            dump_failure: dice.pick(0, &[10_000, 60_000, 250_000]),
            dump_slow: dice.pick(0, &[20_000, 100_000]),
            disasters_every: dice.pick(None, &[hours(2), hours(8), hours(24)]),
        }
    }

    /// The fate of a request. `is_write` says that doing it twice is not doing it once; `is_poll`
    /// that it is one of the many which look whether there is something to do.
    pub(crate) fn fate(&self, dice: &Dice, is_write: bool, is_poll: bool) -> Fault {
        const MOMENT: Duration = Duration::from_millis(1);
        let scale = if is_poll { 8 } else { 1 };
        let writes = u32::from(is_write);
        let mut left = u32::try_from(dice.below(1_000_000)).unwrap_or(u32::MAX);
        let mut falls_in = |share: u32| {
            let is_hit = left < share;
            left = left.saturating_sub(share);
            is_hit
        };
        if falls_in(self.slow / scale) {
            return Fault::Slow(dice.span(MOMENT, Duration::from_millis(400)));
        }
        if falls_in(self.refused / scale) {
            return dice.pick(Fault::Refused, &[Fault::Refused, Fault::Throttled]);
        }
        if falls_in(self.reply_lost / scale) {
            return Fault::ReplyLost;
        }
        if falls_in(self.late / scale) {
            let most = dice.pick(5, &[45, 300]);
            return Fault::Late(dice.span(MOMENT, Duration::from_secs(most)));
        }
        if falls_in(self.repeated * writes / scale) {
            let is_second_answered = dice.below(2) == 0;
            let later = Fault::RepeatedLater(dice.span(MOMENT, Duration::from_mins(2)));
            return dice.pick(Fault::Repeated { is_second_answered }, &[later]);
        }
        if falls_in(self.crash / scale) {
            let later = dice.span(MOMENT, Duration::from_mins(1));
            return Fault::Crash(dice.pick(Crash::Before, &[Crash::After, Crash::OnItsWay(later)]));
        }
        Fault::None
    }
}
