//! One storm: writers, clients and a fault at the same time, and then quiet, in which everything is checked.

use super::{PLAIN, ROOT, USERS};
use crate::dice::Dice;
use crate::query::QUERIES;
use crate::statement::{Failing, Filter, Statement, Table, Values};

/// A storm.
#[derive(Debug, Clone)]
pub struct Round {
    /// Users and what each writes, one after the other. Several writers may be the same user.
    pub writers: Vec<(usize, Vec<Write>)>,
    /// What clients do: the connection, after how many answered writes, and what.
    pub acts: Vec<Act>,
    /// What breaks, and after how many answered writes.
    pub cut: Option<Cut>,
    /// How the connections that must come back do so, in turn.
    pub modes: Vec<Mode>,
}

/// A client's act.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// The connection.
    pub connection: usize,
    /// After so many answered writes of this storm.
    pub after: usize,
    /// What it does.
    pub op: Op,
}

/// What breaks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// After so many answered writes of this storm.
    pub after: usize,
    /// What.
    pub fault: Fault,
}

/// A request of a writer.
#[derive(Debug, Clone)]
pub enum Write {
    /// A statement by itself.
    Alone(Statement),
    /// BEGIN … COMMIT.
    Commit(Vec<Statement>),
    /// BEGIN … ROLLBACK.
    Rollback(Vec<Statement>),
    /// EXECUTE AS USER, which only `root` may.
    As(usize, Statement),
}

impl Write {
    /// Its statements.
    pub fn statements(&self) -> &[Statement] {
        match self {
            Write::Alone(one) | Write::As(_, one) => std::slice::from_ref(one),
            Write::Commit(all) | Write::Rollback(all) => all,
        }
    }

    /// Must it fail?
    pub fn must_fail(&self) -> bool {
        self.statements().iter().any(|statement| matches!(statement, Statement::Fail(_)))
    }
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Subscribes to a query.
    Subscribe(usize),
    /// Ends one of its subscriptions.
    Unsubscribe(usize),
    /// Loses its socket without a word and comes back.
    Drop,
    /// Closes its socket and comes back.
    Close,
    /// Goes away until it returns.
    Leave,
    /// Returns.
    Return,
    /// Stops reading.
    Pause,
    /// Reads again.
    Unpause,
    /// Remembers where it is, to come back there later.
    Remember,
}

/// From where a client resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The last SeqId it saw, or its last page.
    LastSeen,
    /// What it remembered.
    Older,
    /// A SeqId that was never given out.
    Future,
    /// 0, which is before everything.
    Zero,
    /// Not at all: it subscribes anew.
    Anew,
}

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// KILL CONNECTION of this connection.
    KillConnection(usize),
    /// KILL LIVE QUERY of this connection's subscription.
    KillLiveQuery(usize, usize),
    /// REVOKE TOKENS FOR USER.
    RevokeTokens(usize),
    /// DROP USER.
    DropUser(usize),
    /// ALTER USER SET ROLE, to a higher one or back.
    ChangeRole(usize, bool),
    /// A clean stop and start.
    Restart,
    /// `kill -9`, and a start.
    Crash,
    /// A power loss that takes what it may, by this seed, and a start.
    LosePower(u64),
    /// So many commits that cannot be written, in one of several ways.
    FailWrites(usize, u32),
    /// DDL.
    Ddl(Ddl),
}

/// DDL under subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ddl {
    /// ADD COLUMN b to `shape`.
    AddColumn,
    /// DROP COLUMN b.
    DropColumn,
    /// CREATE INDEX on `board`.
    CreateIndex,
    /// DROP INDEX.
    DropIndex,
    /// DROP TABLE `shape` and CREATE it again.
    Remake,
    /// DROP NAMESPACE `pit` CASCADE.
    DropPit,
    /// CREATE it again.
    MakePit,
    /// ALTER TABLE `shape` SET ACCESS_LEVEL PRIVATE.
    Hide,
    /// … and PUBLIC again.
    Show,
}

/// Makes rounds, and remembers which numbers it gave out.
#[derive(Debug)]
pub struct Builder {
    dice: Dice,
    connections: usize,
    fat: bool,
    sync: bool,
    forgetful: bool,
    /// The one whose writes are being made up may only write what is its own.
    own_only: bool,
    next_id: i64,
    next_batch: i64,
    batches: Vec<i64>,
    dropped: bool,
}

const TAGS: [Option<&str>; 5] = [None, Some("x"), Some("y"), Some(""), Some("ö")];

impl Builder {
    /// Begins.
    pub fn new(dice: Dice, connections: usize, fat: bool, sync: bool, forgetful: bool) -> Self {
        Builder {
            dice,
            connections,
            fat,
            sync,
            forgetful,
            own_only: false,
            next_id: 1_000,
            next_batch: 1,
            batches: Vec::new(),
            dropped: false,
        }
    }

    /// The dice.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// The next round.
    pub fn round(&mut self) -> Round {
        let writers: Vec<(usize, Vec<Write>)> = (0..self.dice.between(1, 3))
            .map(|_| {
                let user = self.user();
                self.own_only = user == PLAIN;
                let writes = (0..self.dice.between(1, 6)).map(|_| self.write(user)).collect();
                (user, writes)
            })
            .collect();
        let total: usize = writers.iter().map(|(_, writes)| writes.len()).sum();
        let mut acts: Vec<Act> = (0..self.dice.between(0, 4)).map(|_| self.act(total)).collect();
        acts.sort_by_key(|act| act.after);
        let fault = self.dice.percent(65).then(|| self.fault());
        // Without syncs a power loss takes commits that were acknowledged; which ones is only known in the quiet.
        let quiet = matches!(fault, Some(Fault::LosePower(_))) && !self.sync;
        let cut = fault.map(|fault| Cut { after: if quiet { total } else { self.dice.below(total + 1) }, fault });
        let modes = (0..3).map(|_| self.mode()).collect();
        Round { writers, acts, cut, modes }
    }

    /// A last round in which one client reads nothing while large rows are written. What the system itself keeps
    /// for a socket is much, so that it takes megabytes until the server feels it.
    pub fn flood(&mut self) -> Round {
        let put = |n: i64| {
            let values = Values { n: Some(n), tag: None, pad: 40_000 };
            Write::Alone(Statement::Put(Table::Board, n % 10, values))
        };
        let act = |after, op| Act { connection: 0, after, op };
        Round {
            writers: vec![(ROOT, (0..50).map(put).collect())],
            acts: vec![act(0, Op::Return), act(0, Op::Unpause), act(2, Op::Subscribe(0)), act(4, Op::Pause)],
            cut: None,
            modes: vec![Mode::LastSeen],
        }
    }

    fn user(&mut self) -> usize {
        loop {
            let user = self.dice.below(USERS.len());
            if !(self.dropped && user == 1) {
                return user;
            }
        }
    }

    fn values(&mut self) -> Values {
        let n = self.dice.percent(85).then(|| i64::try_from(self.dice.below(8)).unwrap());
        let pad = if self.fat { 2_000 } else { 0 };
        Values { n, tag: self.dice.pick(&TAGS), pad }
    }

    fn table(&mut self) -> Table {
        let board = if self.own_only {
            0
        } else if self.fat {
            20
        } else {
            6
        };
        self.dice.weighted(&[(board, Table::Board), (4, Table::Own), (1, Table::Feed)])
    }

    fn id(&mut self) -> i64 {
        i64::try_from(self.dice.below(10)).unwrap()
    }

    fn filter(&mut self) -> Filter {
        let (id, n) = (self.id(), i64::try_from(self.dice.below(8)).unwrap());
        self.dice.weighted(&[
            (5, Filter::Id(id)),
            (2, Filter::Above(n)),
            (1, Filter::Pair("x", n)),
            (1, Filter::NotTwo),
            (1, Filter::Mine),
            (1, Filter::Contested),
        ])
    }

    fn fresh_ids(&mut self, count: i64) -> i64 {
        let first = self.next_id;
        self.next_id += count;
        first
    }

    fn write(&mut self, user: usize) -> Write {
        match self.dice.below(20) {
            0..=2 => {
                let mut statements: Vec<Statement> =
                    (0..self.dice.between(2, 4)).map(|_| self.in_transaction()).collect();
                // Of a row that a transaction makes and deletes again nothing is written, so that another's row
                // of that key may stay: that cannot be told from the answers.
                statements.sort_by_key(|statement| !matches!(statement, Statement::Delete(..)));
                if self.dice.percent(15) { Write::Rollback(statements) } else { Write::Commit(statements) }
            }
            3 => {
                let mut statements = vec![self.in_transaction(), self.in_transaction()];
                statements.push(self.failing());
                Write::Commit(statements)
            }
            4 => Write::Alone(self.failing()),
            5..=7 if !self.own_only => Write::Alone(self.marks()),
            8..=9 if !self.own_only => Write::Alone(Statement::Count),
            10 if user == ROOT => {
                let id = i64::try_from(self.dice.between(1, 6)).unwrap();
                Write::Alone(if self.dice.percent(50) { Statement::Shape(id) } else { Statement::Pit(id) })
            }
            11 if user == ROOT => {
                let (id, values) = (self.id(), self.values());
                Write::As(0, Statement::Put(Table::Own, id, values))
            }
            _ => Write::Alone(self.row_write()),
        }
    }

    /// Counters, markers and rows may all be in one commit.
    fn in_transaction(&mut self) -> Statement {
        match self.dice.below(8) {
            0 if !self.own_only => Statement::Count,
            1 if !self.own_only => self.marks(),
            _ => self.row_write(),
        }
    }

    fn marks(&mut self) -> Statement {
        if self.batches.len() > 1 && self.dice.percent(30) {
            let at = self.dice.below(self.batches.len());
            return Statement::Unmark(self.batches.swap_remove(at));
        }
        let batch = self.next_batch;
        self.next_batch += 1;
        self.batches.push(batch);
        Statement::Mark(batch, i64::try_from(self.dice.between(2, 5)).unwrap())
    }

    fn row_write(&mut self) -> Statement {
        let (table, id, values) = (self.table(), self.id(), self.values());
        match self.dice.below(16) {
            0..=5 => Statement::Put(table, id, values),
            6 => Statement::PutIfAbsent(table, id, values),
            7..=8 => {
                let count = i64::try_from(self.dice.between(1, 3)).unwrap();
                Statement::Insert(table, self.fresh_ids(count), count, values)
            }
            9..=10 => Statement::Set(table, self.filter(), values.n),
            11..=12 => Statement::Bump(table, self.filter()),
            _ => Statement::Delete(table, self.filter()),
        }
    }

    fn failing(&mut self) -> Statement {
        let id = self.fresh_ids(2);
        Statement::Fail(self.dice.pick(&[
            Failing::TwiceTheKey(id),
            Failing::NullOwner(id),
            Failing::TooLarge(id),
            Failing::NoColumn,
        ]))
    }

    fn act(&mut self, total: usize) -> Act {
        let connection = self.dice.below(self.connections);
        let query = self.dice.below(QUERIES.len());
        let at = self.dice.below(4);
        // Who was long away finds that history was trimmed.
        let leaves = if self.forgetful { 4 } else { 1 };
        let op = self.dice.weighted(&[
            (5, Op::Subscribe(query)),
            (2, Op::Unsubscribe(at)),
            (3, Op::Drop),
            (1, Op::Close),
            (leaves, Op::Leave),
            (2, Op::Return),
            (1, Op::Pause),
            (2, Op::Unpause),
            (2 * leaves, Op::Remember),
        ]);
        Act { connection, after: self.dice.below(total + 1), op }
    }

    fn mode(&mut self) -> Mode {
        self.dice.weighted(&[
            (8, Mode::LastSeen),
            (if self.forgetful { 8 } else { 3 }, Mode::Older),
            (1, Mode::Future),
            (1, Mode::Zero),
            (1, Mode::Anew),
        ])
    }

    fn fault(&mut self) -> Fault {
        let connection = self.dice.below(self.connections);
        let at = self.dice.below(4);
        let user = self.dice.pick(&[0, 2]);
        let ddl = self.dice.pick(&[
            Ddl::AddColumn,
            Ddl::DropColumn,
            Ddl::DropColumn,
            Ddl::CreateIndex,
            Ddl::DropIndex,
            Ddl::Remake,
            Ddl::DropPit,
            Ddl::MakePit,
            Ddl::Hide,
            Ddl::Show,
        ]);
        let service = self.dice.percent(50);
        let torn = self.dice.roll();
        let kind = self.dice.below(4);
        let times = u32::try_from(self.dice.between(1, 3)).unwrap();
        let fault = self.dice.weighted(&[
            (3, Fault::KillConnection(connection)),
            (3, Fault::KillLiveQuery(connection, at)),
            (1, Fault::RevokeTokens(user)),
            (1, Fault::DropUser(1)),
            (1, Fault::ChangeRole(user, service)),
            (if self.forgetful { 8 } else { 2 }, Fault::Restart),
            (3, Fault::Crash),
            (if self.sync { 2 } else { 8 }, Fault::LosePower(torn)),
            (2, Fault::FailWrites(kind, times)),
            (5, Fault::Ddl(ddl)),
        ]);
        match fault {
            Fault::DropUser(_) if self.dropped => Fault::Crash,
            Fault::DropUser(_) => {
                self.dropped = true;
                fault
            }
            _ => fault,
        }
    }
}
