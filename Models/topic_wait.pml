/* topic_wait: sleeping and waking of topics (decision 0009).
 *
 * Subscribers sleep on `items`, publishers that find the gate shut on `space`, all on `deaths` too.  Each word is a number whose lowest bit is the mark.  Who waits sets the mark, looks again, and sleeps on the value that it
 * saw.  Who publishes, stores a lossless cursor (the final one of joining too) or leaves looks at the mark then; if it is set, it adds 1 and wakes all in one system call: if somebody else has taken the mark away, it is set
 * then, and nobody sleeps.
 * Two publishers; subscriber 2 is lossless and joins at some time: provisional cursor and claim, final cursor; it may read several messages before it stores its cursor, and leaves after READS; subscriber 3 is lossy.
 * SIGKILL before any statement of whoever is KILLABLE: a dead sleeper leaves the queue, its claim is emptied, then `deaths` moves, then all are woken.
 *
 * Abstract here: chunks and log (topic): a message is published in one step; who does not find a chunk waits as who finds the gate shut.  The announcer does not die (peers); the repair is one step; the barrier.
 *
 *   bounds        N, M0 and M1 (messages of each publisher), READS, KILLS, KILLABLE (bits per party), GIVEUP (bits: publishers that may go without)
 *   -DLATEGONE    a dead sleeper leaves the queue only after its death was announced                   -> must hold: all are woken
 *
 * What must hold when nothing moves any more: no living subscriber sleeps beside a message, no living publisher beside an open gate.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOLOOK       no second look after the mark
 *   -DMARKLATE     the mark is set after the second look
 *   -DLOOKFIRST    who publishes looks at the mark before it publishes
 *   -DNOCOMPARE    sleep without comparing the word
 *   -DSAMENUMBER   the mark is taken away and the number stays
 *   -DNODEATHS     sleep on the word alone
 *   -DDEATHSLATE   `deaths` is read after the second look
 *   -DREPAIRLATE   the dead one's claim is emptied after `deaths` has moved and all were woken
 *   -DWAKEONE      one is woken, and the mark stays unless nobody was queued
 *   -DJOINSILENT   who stores the final cursor of joining does not look at the mark
 *   -DSTORESILENT  who stores its cursor does not
 *   -DLEAVESILENT  who leaves does not
 */
#ifndef N
#define N 2
#endif
#ifndef M0
#define M0 3
#endif
#ifndef M1
#define M1 2
#endif
#ifndef READS
#define READS 9
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#define SPACE 0
#define ITEMS 1

byte tail, cursor;
bit  claim;
byte number[2];
bit  mark[2];
byte deaths, kills;
byte asl[4];                           /* 1 asleep, 2 woken by `deaths`, and still queued */
bit  died[4];
byte seenUpTo[2];                      /* ghost: what each subscriber has read */
#define PUBLISHER (me<2)
#define MINE (me/2)
#define VALUE(x) (number[x]*2+mark[x])
#define OPEN (!claim || tail<cursor+N)
inline wakeDeath(p) { if :: asl[p]==1 -> asl[p]=2 :: else fi }
inline wakeDeaths() { wakeDeath(0); wakeDeath(1); wakeDeath(2); wakeDeath(3) }
mtype = { LOOK, DEATHS, DEATHS2, MARK, SLEEP, ASLEEP, CHANGE, PROVISIONAL, BEGIN, LEAVE, PEEK, ADD, WAKE, UNMARK, END };
#define AT(x) d_step { pc==x ->
#if defined(MARKLATE)
#define NOTHING pc=(again -> MARK : DEATHS)
#elif defined(DEATHSLATE)
#define NOTHING pc=(again -> DEATHS2 : MARK)
#else
#define NOTHING pc=(again -> SLEEP : DEATHS)
#endif
#define SOMETHING again=0; val=0; dv=0
#define OTHER (1-MINE)
#ifdef LOOKFIRST
#define BEFORE seen=mark[OTHER]
#define SEEN seen
#else
#define BEFORE skip
#define SEEN mark[OTHER]
#endif
#define FINISHED (PUBLISHER && left==0)
inline returns() { seen=0; if :: FINISHED || leaving -> leaving=0; t=0; pc=END :: else -> pc=LOOK fi }

proctype Party(byte me; byte left; mtype pc) {
  byte t, dv, val; bit again, seen, leaving;
end:
  do
#if KILLS
  :: d_step { kills<KILLS && (KILLABLE & (1<<me)) && pc!=END -> kills++; died[me]=1; t=0; dv=0; val=0; again=0; seen=0; leaving=0; left=0; pc=END }
#endif
  :: d_step { pc==LOOK && PUBLISHER -> if :: OPEN -> t=tail; SOMETHING; BEFORE; pc=CHANGE :: else -> NOTHING fi }
  :: d_step { pc==LOOK && !PUBLISHER -> if :: tail>seenUpTo[me-2] -> SOMETHING; BEFORE; pc=CHANGE :: else -> NOTHING fi }
  /* ---- sleep ---- */
#ifdef DEATHSLATE
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); again=1; pc=LOOK }
  :: AT(DEATHS2) dv=deaths; pc=SLEEP }
#elif defined(MARKLATE)
  :: AT(DEATHS) dv=deaths; again=1; pc=LOOK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#elif defined(NOLOOK)
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#else
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); again=1; pc=LOOK }
#endif
  :: AT(SLEEP)
       if
#ifdef NOCOMPARE
       :: dv==deaths ->
#elif defined(NODEATHS)
       :: val==VALUE(MINE) ->
#else
       :: val==VALUE(MINE) && dv==deaths ->
#endif
          asl[me]=1; pc=ASLEEP
       :: else -> pc=LOOK
       fi; val=0; dv=0; again=0 }
#if GIVEUP
  :: d_step { pc==ASLEEP && asl[me]==1 && (GIVEUP & (1<<me)) -> left=0; asl[me]=2 }
#endif
  :: d_step { pc==ASLEEP && asl[me]!=1 -> asl[me]=0; if :: FINISHED -> pc=END :: else -> pc=LOOK fi }
  /* ---- publish; read ---- */
  :: d_step { pc==CHANGE && PUBLISHER -> if :: tail==t -> assert(!claim || t<cursor+N || died[2]); tail++; left--; t=0; pc=PEEK :: else -> t=0; seen=0; pc=LOOK fi }
  :: d_step { pc==CHANGE && me==3 -> seenUpTo[1]=tail; pc=LOOK }
  :: d_step { pc==CHANGE && me==2 -> seenUpTo[0]=seenUpTo[0]+1; left--; pc=(left==0 -> LEAVE : LOOK); if :: pc==LOOK -> cursor=seenUpTo[0];
#ifdef STORESILENT
       returns()
#else
       pc=PEEK
#endif
       :: else fi }
  /* several at once */
  :: d_step { pc==CHANGE && me==2 && left>2 && tail>seenUpTo[0]+1 -> seenUpTo[0]=seenUpTo[0]+2; left=left-2; cursor=seenUpTo[0];
#ifdef STORESILENT
       returns() }
#else
       pc=PEEK }
#endif
  /* ---- join, leave ---- */
  :: AT(PROVISIONAL) t=tail; cursor=(t<N -> 0 : t-N+1); claim=1; pc=BEGIN }
  :: AT(BEGIN) BEFORE; cursor=tail; seenUpTo[0]=tail; t=0;
#ifdef JOINSILENT
       returns() }
#else
       pc=PEEK }
#endif
  :: AT(LEAVE) BEFORE; claim=0; leaving=1;
#ifdef LEAVESILENT
       returns() }
#else
       pc=PEEK }
#endif
  /* ---- the mark ---- */
#ifdef WAKEONE
  :: AT(PEEK) if :: SEEN -> pc=ADD :: else -> returns() fi }
  :: AT(ADD) number[OTHER]++; pc=WAKE }
  :: d_step { pc==WAKE && asl[OTHER*2]!=0 -> asl[OTHER*2]=0; returns() }
  :: d_step { pc==WAKE && asl[OTHER*2+1]!=0 -> asl[OTHER*2+1]=0; returns() }
  :: d_step { pc==WAKE && asl[OTHER*2]==0 && asl[OTHER*2+1]==0 -> pc=UNMARK }
#else
  :: AT(PEEK) if :: SEEN -> pc=UNMARK :: else -> returns() fi }
#endif
#ifdef SAMENUMBER
  :: AT(UNMARK) mark[OTHER]=0; asl[OTHER*2]=0; asl[OTHER*2+1]=0; returns() }
#else
  :: AT(UNMARK) if :: mark[OTHER] -> number[OTHER]++; mark[OTHER]=0 :: else -> mark[OTHER]=1 fi; asl[OTHER*2]=0; asl[OTHER*2+1]=0; returns() }
#endif
  od
}
proctype Death(byte p) {
end: died[p];
#ifndef LATEGONE
  asl[p]=0;
#endif
#ifndef REPAIRLATE
  d_step { if :: p==2 -> claim=0 :: else fi };
#endif
  deaths++;
  d_step { wakeDeaths() };
#ifdef REPAIRLATE
  d_step { if :: p==2 -> claim=0 :: else fi };
#endif
#ifdef LATEGONE
  asl[p]=0
#endif
}
proctype Judge() { timeout ->
  d_step {
    assert(!OPEN || ((asl[0]!=1 || died[0]) && (asl[1]!=1 || died[1])));
    assert((tail==seenUpTo[0] || asl[2]!=1 || died[2]) && (tail==seenUpTo[1] || asl[3]!=1 || died[3]))
  } }
init { atomic {
  run Party(0,M0,LOOK);
#if M1
  run Party(1,M1,LOOK);
#endif
  run Party(2,READS,PROVISIONAL); run Party(3,0,LOOK);
#if KILLS
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi;
  if :: KILLABLE & 4 -> run Death(2) :: else fi; if :: KILLABLE & 8 -> run Death(3) :: else fi;
#endif
  run Judge() } }
