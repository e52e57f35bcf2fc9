/* shared_queue_wait: sleeping and waking of the queue of any number of senders and receivers (decision 0007).
 *
 * Receivers sleep on `items`, senders on `space`, both on `deaths`.  Each of the two words is a number and a mark.  Who waits sets the mark, looks again, and sleeps on the value that
 * it saw.  Who publishes looks at the mark then; if it is set, it adds 1 to the number, keeps the mark, and wakes one; if nobody was queued, it takes the mark away, adds 1, and wakes
 * all who came in between, in one system call (FUTEX_WAKE_OP), so that it cannot be stopped between the two.  Who goes without (GIVEUP) and has slept does what a publisher does.
 * SIGKILL before any statement of whoever is KILLABLE: a dead sleeper leaves the queue, what it held is free or comes again, then `deaths` moves, then all are woken.  Who was woken by
 * `deaths` or its deadline stays queued on its word until it runs, and may swallow a wake-up there.  The kernel wakes any one of a queue.
 *
 * Abstract here: storage (shared_queue): so many free slots, so many messages; each is taken and given in one step; the announcer does not die (peers); the repair is one step; the barrier: who
 * is dead has stopped.  Polling: a look without the mark comes before each wait.
 *
 *   bounds        CAP slots, M0 and M1 (messages of each sender), R2 and R3 (what each receiver receives before it goes away), KILLS, KILLABLE, GIVEUP (bits per party: 1, 2 senders, 4, 8 receivers),
 *                 GIVES (times that a receiver gives back what it received)
 *   -DHALT        who is "killed" is stopped for ever instead, and nobody's death is told
 *   -DNOADD       who publishes adds nothing to the number, which moves with the mark only                          -> must hold
 *   -DADDONE      the mark is the lowest bit, and taken away by adding 1, whoever else has done so: it may be set then, and nobody sleeps      -> must hold
 *   -DTWOCALLS    the mark is taken away, then all are woken, by two calls: holds but for HALT
 *   -DLATEGONE    a dead sleeper leaves the queue only after its death was announced                                 -> must hold with -DAGAIN: the death's echo
 *
 * What must hold when nothing moves any more: no living receiver sleeps beside a message, no living sender beside a free slot.  With HALT: beside one at most for each who is stopped.
 *
 * Seeded mistakes, each must be caught:
 *   -DDROPMARK       who wakes one takes the mark away
 *   -DNOWAKEALL      the mark is taken away, and nobody is woken then
 *   -DNOLOOK         no second look after the mark
 *   -DMARKLATE       the mark is set after the second look
 *   -DLOOKFIRST      who publishes looks at the mark before it publishes
 *   -DNOCOMPARE      sleep without comparing the word
 *   -DNOPASSON       who goes without after having slept wakes nobody
 *   -DNODEATHS       sleep on the word alone
 *   -DDEATHSLATE     `deaths` is read after the second look
 *   -DREPAIRLATE     what the dead one held is given back after `deaths` has moved and all were woken
 *   -DLATEGONE without -DAGAIN
 *   -DHALT -DTWOCALLS
 * and what decision 0007 said when this was written:
 *   -DSAMENUMBER     the mark is taken away and the number stays: who saw the marked value before goes to sleep on it when another has set the mark again
 */
#ifndef CAP
#define CAP 2
#endif
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 1
#endif
#ifndef R2
#define R2 2
#endif
#ifndef R3
#define R3 1
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
#ifndef GIVES
#define GIVES 0
#endif
#define ITEMS 1
#define SPACE 0

byte there[2]={CAP,0};                 /* free slots, messages */
byte number[2];
bit  mark[2];
byte deaths, kills;
#if GIVES
byte gives;
#endif
byte asl[4];                           /* 1 asleep, 2 woken by `deaths` or its deadline, and still queued on the word */
bit  died[4], holds[4];
#define MINE (me/2)                    /* the word that I wait on; the other one is whose news I publish */
#define VALUE(x) (number[x]*2+mark[x])
inline wakeAll(x) { asl[(x)*2]=0; asl[(x)*2+1]=0 }
inline wakeDeaths() {
  if :: asl[0]==1 -> asl[0]=2 :: else fi; if :: asl[1]==1 -> asl[1]=2 :: else fi;
  if :: asl[2]==1 -> asl[2]=2 :: else fi; if :: asl[3]==1 -> asl[3]=2 :: else fi
}
mtype = { LOOK, DEATHS, DEATHS2, MARK, AGAIN1, SLEEP, ASLEEP, PUBLISH, PEEK, PUBLISH2, ADD, WAKE, UNMARK, ALL, END };
#define AT(x) d_step { pc==x ->
#ifdef HALT
#define DEATH :: d_step { kills<KILLS && (KILLABLE & (1<<me)) && pc!=END -> kills++; died[me]=1; asl[me]=0; CLEARED }
#else
#define DEATH :: d_step { kills<KILLS && (KILLABLE & (1<<me)) && pc!=END -> kills++; died[me]=1; CLEARED }
#endif
#define CLEARED dv=0; val=0; slept=0; going=0; seen=0; word=0; left=0; pc=END
#ifdef LOOKFIRST
#define FOUND PEEK
#else
#define FOUND PUBLISH
#endif
inline seek(otherwise) {               /* a look */
  if
  :: there[MINE]>0 -> there[MINE]--; holds[me]=1; slept=0; val=0; dv=0; pc=FOUND
  :: else -> pc=otherwise
  fi
}
inline returns() {                        /* the call returns */
  val=0; dv=0; seen=0; word=0; slept=0;
  if :: going || left==0 -> left=0; going=0; pc=END :: else -> pc=LOOK fi
}

proctype Party(byte me; byte left) {
  byte dv, val; bit slept, going, word, seen; mtype pc=(left==0 -> END : LOOK);
end:
  do
#if KILLS
  DEATH
#endif
  :: AT(LOOK) seek(DEATHS) }
#if defined(MARKLATE)
  :: AT(DEATHS) dv=deaths; pc=AGAIN1 }
  :: AT(AGAIN1) seek(MARK) }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#elif defined(DEATHSLATE)
  :: AT(DEATHS) mark[MINE]=1; val=VALUE(MINE); pc=AGAIN1 }
  :: AT(AGAIN1) seek(DEATHS2) }
  :: AT(DEATHS2) dv=deaths; pc=SLEEP }
#elif defined(NOLOOK)
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=SLEEP }
#else
  :: AT(DEATHS) dv=deaths; pc=MARK }
  :: AT(MARK) mark[MINE]=1; val=VALUE(MINE); pc=AGAIN1 }
  :: AT(AGAIN1) seek(SLEEP) }
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
       fi; val=0; dv=0 }
#if GIVEUP
  :: d_step { pc==SLEEP && (GIVEUP & (1<<me)) -> going=1; val=0; dv=0;
       if :: slept -> pc=PEEK; word=MINE :: else -> returns() fi }
  :: d_step { pc==ASLEEP && asl[me]==1 && (GIVEUP & (1<<me)) -> going=1; asl[me]=2 }
#endif
  :: d_step { pc==ASLEEP && asl[me]!=1 -> asl[me]=0; slept=1;
       if
       :: going ->
#ifdef NOPASSON
          returns()
#else
          word=MINE; pc=PEEK
#endif
       :: else -> pc=LOOK
       fi }
  /* ---- publish, or pass on ---- */
#ifdef LOOKFIRST
  :: AT(PEEK) if :: !going -> word=1-MINE :: else fi; seen=mark[word]; if :: going -> if :: seen -> pc=ADD :: else -> returns() fi :: else -> pc=PUBLISH fi }
  :: AT(PUBLISH) holds[me]=0; there[1-MINE]++; left--; if :: seen -> pc=ADD :: else -> returns() fi }
#else
  :: AT(PUBLISH) holds[me]=0; there[1-MINE]++; left--; word=1-MINE; pc=PEEK }
#if GIVES
  :: d_step { pc==PUBLISH && MINE==ITEMS && gives<GIVES -> gives++; holds[me]=0; there[ITEMS]++; left--; word=ITEMS; pc=PEEK }
#endif
  :: AT(PEEK) if :: mark[word] -> pc=ADD :: else -> returns() fi }
#endif
#ifdef NOADD
  :: AT(ADD) pc=WAKE }
#elif defined(DROPMARK)
  :: AT(ADD) number[word]++; mark[word]=0; pc=WAKE }
#else
  :: AT(ADD) number[word]++; pc=WAKE }
#endif
  :: d_step { pc==WAKE && asl[word*2]!=0 -> asl[word*2]=0; returns() }
  :: d_step { pc==WAKE && asl[word*2+1]!=0 -> asl[word*2+1]=0; returns() }
  :: d_step { pc==WAKE && asl[word*2]==0 && asl[word*2+1]==0 -> pc=UNMARK }
  :: AT(UNMARK)
#if defined(ADDONE)
       if :: mark[word] -> number[word]++; mark[word]=0 :: else -> mark[word]=1 fi;
#elif defined(SAMENUMBER)
       mark[word]=0;
#else
       if :: mark[word] -> number[word]++ :: else fi;
       mark[word]=0;
#endif
#ifdef NOWAKEALL
       returns() }
#elif defined(TWOCALLS)
       pc=ALL }
  :: AT(ALL) wakeAll(word); returns() }
#else
       wakeAll(word); returns() }
#endif
  od
}
/* what becomes of a process that is killed */
proctype Death(byte p) {
end: died[p];
#ifndef LATEGONE
  asl[p]=0;
#endif
#ifndef REPAIRLATE
  d_step { if :: holds[p] -> there[p/2]++; holds[p]=0 :: else fi };
#endif
  deaths++;
  d_step { wakeDeaths() };
#ifdef REPAIRLATE
  d_step { if :: holds[p] -> there[p/2]++; holds[p]=0 :: else fi };
#endif
#ifdef LATEGONE
  asl[p]=0;
#ifdef AGAIN
  d_step { wakeDeaths() }
#endif
#endif
}
#ifdef HALT
#define SPARE kills
#else
#define SPARE 0
#endif
proctype Judge() { timeout ->
  d_step {
    assert(there[ITEMS]<=SPARE || ((asl[2]!=1 || died[2]) && (asl[3]!=1 || died[3])));
    assert(there[SPACE]<=SPARE || ((asl[0]!=1 || died[0]) && (asl[1]!=1 || died[1])))
  } }
init { atomic {
  run Party(0,M0); run Party(1,M1); run Party(2,R2); run Party(3,R3);
#if KILLS && !defined(HALT)
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi;
  if :: KILLABLE & 4 -> run Death(2) :: else fi; if :: KILLABLE & 8 -> run Death(3) :: else fi;
#endif
  run Judge() } }
