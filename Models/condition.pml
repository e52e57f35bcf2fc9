/* condition: waiting until a mutex's value is as it is needed (SharedCondition, SharedMutex.withLock(when:on:)).
 *
 * Waiters each take one item, when there is one; givers put one there each and notify.  SIGKILL before any statement.  Abstract here: the
 * mutex (lock), taken and let go in one step each, from a dead holder too, whose change of the value is whole; the number of the notification, kept as "the word
 * has moved since this one announced its sleep", exact for what is compared.  `deaths` moves after the dead has stopped and left the queues.
 * At the end nobody sleeps while there is an item.
 *
 *   bounds        WAITERS, GIVERS, KILLS, KILLABLE (1, 2, 4: waiters; 8, 16: givers), LATE (waiters with a deadline), THROWS (waiters whose body throws, with the
 *                 item still there), ALL (givers that notify all)
 *
 * Seeded mistakes, each must be caught:
 *   -DANNOUNCELATE  the sleep is announced after the mutex was let go
 *   -DDEATHSLATE    `deaths` is read after the mutex was let go
 *   -DNODEATHS      sleep on the condition's word alone
 *   -DNOCOMPARE     sleep without comparing the word
 *   -DNONUMBER      a notification wakes and changes no number
 *   -DNOWAKEAFTER   whoever takes the mark away, since nobody slept, wakes nobody
 *   -DNOPASS        who goes without having looked passes nothing on
 *   -DNOTIFYFIRST   notified before the change
 * and what the code itself did when this was written:
 *   -DNOPASSTHROW   who throws with what it was woken for untouched passes nothing on
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef GIVERS
#define GIVERS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef THROWS
#define THROWS 0
#endif
#ifndef ALL
#define ALL 0
#endif
byte items, deaths, kills, holder;     /* holder: of the mutex, party + 1 */
bit  mark;
bit  moved[3], asl[3], queued[3];      /* the word has moved since; asleep; on the queue: a deadline or `deaths` may have woken it */
bit  act[5], stop[5], died[5];
#define TAKE atomic { holder==0 || (died[holder-1] && stop[holder-1]) -> holder=me+1 }
#define IS(mask) (((mask)>>me)&1)
inline move() { moved[0]=1; moved[1]=1; moved[2]=1 }
inline wakeOne(got) {
  if
  :: queued[0] -> asl[0]=0; queued[0]=0; got=1
  :: queued[1] -> asl[1]=0; queued[1]=0; got=1
  :: queued[2] -> asl[2]=0; queued[2]=0; got=1
  :: !queued[0] && !queued[1] && !queued[2] -> got=0
  fi
}
inline wakeAllOn() { d_step { asl[0]=0; asl[1]=0; asl[2]=0; queued[0]=0; queued[1]=0; queued[2]=0 } }
inline notify(all) {
  if
  :: mark ->
     if
     :: !all ->
#ifdef NONUMBER
        atomic { wakeOne(got) };
#else
        atomic { move(); wakeOne(got) };               /* FUTEX_WAKE_OP */
#endif
     :: all ->
        atomic { move(); got=queued[0]||queued[1]||queued[2]; wakeAllOn() }                  /* so too */
     fi;
     if
     :: !got ->
        d_step { if :: mark -> mark=0; move() :: else fi };
#ifndef NOWAKEAFTER
        wakeAllOn()
#endif
     :: else
     fi;
     got=0
  :: else
  fi
}
proctype Waiter(byte me) {
  byte dv; bit late, slept, got;
  {
  skip;
look:
  if
  :: TAKE
  :: late -> goto without                                                   /* deadline: the mutex was not to be had */
  fi;
  if
  :: items>0 && IS(THROWS) -> holder=0; goto throws
  :: items>0 && !IS(THROWS) -> items--; holder=0; goto gone
  :: items==0
  fi;
#if !defined(ANNOUNCELATE)
#ifndef DEATHSLATE
  dv=deaths;
#endif
  d_step { mark=1; moved[me]=0 };
#endif
  holder=0;
#if defined(ANNOUNCELATE)
  d_step { dv=deaths; mark=1; moved[me]=0 };
#endif
#ifdef DEATHSLATE
  dv=deaths;
#endif
  if :: late -> goto gone :: else fi;
  if :: IS(LATE) -> late=1 :: true fi;
  atomic {
    slept=1;
    if
#ifdef NOCOMPARE
    :: dv==deaths
#elif defined(NODEATHS)
    :: !moved[me] && mark
#else
    :: !moved[me] && mark && dv==deaths
#endif
       -> asl[me]=1; queued[me]=1
    :: else
    fi };
end_sleep:
  if
  :: !asl[me]
  :: atomic { asl[me] && late -> asl[me]=0 }
  fi;
  queued[me]=0;
  goto look;
throws:
#ifdef NOPASSTHROW
  goto gone;
#endif
without:
#ifndef NOPASS
  if :: slept && (moved[me] || !mark || dv!=deaths) -> notify(0) :: else fi;
#endif
gone: skip
  } unless { stop[me] };
  atomic { act[me]=0; dv=0; late=0; slept=0; got=0 }
}
proctype Giver(byte me) {
  bit got;
  {
#ifdef NOTIFYFIRST
  notify(IS(ALL*8));
#endif
  TAKE;
  items++;
  holder=0;
#ifndef NOTIFYFIRST
  notify(IS(ALL*8))
#endif
  } unless { stop[me] };
  atomic { act[me]=0; got=0 }
}
proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if :: stop[p]=1; died[p]=1 :: died[p]=1; stop[p]=1 fi;
  if :: p<3 -> d_step { asl[p]=0; queued[p]=0 } :: else fi;
  deaths++;
  d_step { asl[0]=0; asl[1]=0; asl[2]=0 }
}
/* nothing runs any more */
proctype Judge() { timeout -> assert(items==0 || (!asl[0] && !asl[1] && !asl[2])) }
init { atomic {
  act[0]=1; run Waiter(0); act[1]=1; run Waiter(1);
#if WAITERS>2
  act[2]=1; run Waiter(2);
#endif
  act[3]=1; run Giver(3);
#if GIVERS>1
  act[4]=1; run Giver(4);
#endif
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi; if :: KILLABLE & 4 -> run Death(2) :: else fi;
  if :: KILLABLE & 8 -> run Death(3) :: else fi; if :: KILLABLE & 16 -> run Death(4) :: else fi;
  run Judge() } }
