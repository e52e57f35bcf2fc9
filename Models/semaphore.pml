/* semaphore: units that nobody owns, their mark and their heir (SemaphoreCore); also the event that resets itself (raise).
 *
 * Takers take a unit each, ROUNDS times; a giver gives GIVES in turn (units in one call).  SIGKILL before any statement, and the heir with the word of its own, as in
 * lock.pml; what is abstract there is so here.  A dead taker's units are gone with it.
 * Who sleeps at the end must not sleep beside a unit.
 *
 *   bounds        TAKERS, ROUNDS, FIRST and SECOND (units in the giver's two calls), KILLS, KILLABLE (1: the giver, 2, 4, 8: takers), GIVEUP, HEIRS (bits per taker)
 *   -DEVENT       each call of a giver raises: makes it one unit if there is none                             -> must hold
 *
 * Seeded mistakes, each must be caught:
 *   -DNOCOMPARE     sleep without comparing the word
 *   -DPLAINUNMARK   the mark is taken away by a store
 *   -DPLAINGIVE     units are added by a load and a store
 *   -DWAKEONE       one is woken, whatever number of units was given
 *   -DWAKEFIRST     the wake-up comes before the units
 *   -DNODEATHS      sleep on the word alone
 *   -DNOTELL        who stands back, or gives, does not tell the heir
 * Not shown yet, at the bounds of Models/check: it runs too long, or is not caught:
 *   -DNOSLEPTMARK   who has slept does not mark the word that it takes from
 *   -DNOLEFTWAKE    who finds units on a word that had lost its mark wakes nobody
 *   -DNOGIVEUPWAKE  who goes without does not wake
 *   -DNOGIVEUPMARK  who goes without does not mark
 *   -DNORESIGNWAKE  an heir that resigns wakes nobody
 *   -DOLDLEFT       the heir judges by what was left when it took, not by what is there when it is the heir no more
 */
#ifndef TAKERS
#define TAKERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef FIRST
#define FIRST 1
#endif
#ifndef SECOND
#define SECOND 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 0
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef HEIRS
#define HEIRS 0
#endif
#define MARK 1
#define UNIT 2
#define MINE ((me+1)<<1)
#define IS(mask) (((mask)>>me)&1)

byte w, hr, deaths;
byte asl[3];                           /* 1 asleep, 2 woken by `deaths` or its deadline, and still queued on the word */
bit  onHeir[3], act[4], stop[4], died[4], over[2];
byte given, taken, kills;              /* ghosts */

#define Q(i) (asl[i] && !onHeir[i])
inline wakeOne(got) {
  if
  :: Q(0) -> asl[0]=0; got=1
  :: Q(1) -> asl[1]=0; got=1
  :: Q(2) -> asl[2]=0; got=1
  :: !Q(0) && !Q(1) && !Q(2)
  fi
}
inline wakeAll() { d_step { if :: Q(0) -> asl[0]=0 :: else fi; if :: Q(1) -> asl[1]=0 :: else fi; if :: Q(2) -> asl[2]=0 :: else fi } }
inline wakeHeir() { d_step { if :: onHeir[0] -> asl[0]=0 :: else fi; if :: onHeir[1] -> asl[1]=0 :: else fi; if :: onHeir[2] -> asl[2]=0 :: else fi } }
inline wakeDeaths() {
#ifdef NODEATHS
  skip
#else
  d_step { if :: asl[0]==1 -> asl[0]=2 :: else fi; if :: asl[1]==1 -> asl[1]=2 :: else fi; if :: asl[2]==1 -> asl[2]=2 :: else fi }
#endif
}
inline resign() {
  d_step { if :: hr>>1==me+1 -> hr=0 :: else fi };
#ifndef NORESIGNWAKE
  wakeHeir()
#endif
}
proctype Taker(byte me) {
  byte round, seen, dv, nm, ev, left; bit slept, isHeir, late, back, was;
  {
  do
  :: round==ROUNDS -> break
  :: else ->
     atomic { round++; slept=0; late=0;
       if :: w>=UNIT && !(w&MARK) -> w=w-UNIT; taken++; goto next :: else fi };
look:
     if :: isHeir -> d_step { if :: hr==(MINE|MARK) -> hr=MINE :: else fi } :: else fi;
#if KILLS
     dv=deaths;
#endif
     seen=w;
     if
     :: seen>=UNIT ->
        if
        :: (seen&MARK) && !isHeir ->
defer:
           nm=hr;
           if
           :: nm<=MARK
           :: nm>MARK && died[(nm>>1)-1] -> atomic { if :: hr==nm -> hr=0 :: else -> goto defer fi }
           :: nm>MARK && !died[(nm>>1)-1] ->
#ifndef NOTELL
              if
              :: !(nm&MARK) -> atomic { hr=hr|MARK; wakeHeir() }; if :: hr>>1!=nm>>1 -> goto defer :: else fi       /* FUTEX_WAKE_OP */
              :: else
              fi;
#endif
              atomic { ev=nm|MARK; back=1; goto sleep }
           fi
        :: else
        fi;
        atomic { if :: w==seen -> :: else -> goto look fi;
#ifdef NOSLEPTMARK
          w=seen-UNIT;
#else
          w=(seen-UNIT)|slept;
#endif
          left=seen-UNIT; was=seen&MARK; taken++; nm=0; seen=0 };
        if
        :: isHeir ->
           resign();
#ifndef OLDLEFT
           left=w;
#endif
           if :: left>=UNIT -> wakeAll() :: else fi
        :: else
#ifndef NOLEFTWAKE
           -> if :: left>=UNIT && slept && !was -> wakeAll() :: else fi
#endif
        fi;
        goto next
     :: else ->
        if
        :: !isHeir && slept && IS(HEIRS) ->
           if
           :: nm=hr;
              if
              :: nm<=MARK || died[(nm>>1)-1] -> atomic { if :: hr==nm -> hr=MINE; isHeir=1; goto look :: else fi }
              :: else
              fi
           :: true
           fi
        :: else
        fi;
        atomic { if :: w==seen -> w=seen|MARK; ev=seen|MARK :: (seen&MARK) && w!=seen -> ev=seen :: !(seen&MARK) && w!=seen -> goto look fi }
     fi;
sleep:
     atomic { nm=0; seen=0; if :: late -> goto giveUp :: !late && IS(GIVEUP) -> late=1; goto giveUp :: !late fi };
     atomic {
       slept=1;
       if
#ifdef NOCOMPARE
       :: !isHeir && !back && dv==deaths -> asl[me]=1
#elif defined(NODEATHS)
       :: !isHeir && !back && w==ev -> asl[me]=1
#else
       :: !isHeir && !back && w==ev && dv==deaths -> asl[me]=1
#endif
       :: isHeir && hr==MINE && dv==deaths -> asl[me]=1; onHeir[me]=1
       :: back && hr==ev && dv==deaths -> asl[me]=1; onHeir[me]=1
       :: else
       fi; ev=0; dv=0; back=0 };
end_sleep:
     if
     :: atomic { asl[me]!=1 -> asl[me]=0; onHeir[me]=0 }
     :: atomic { asl[me]==1 && IS(GIVEUP) -> asl[me]=2; late=1 }; atomic { asl[me]=0; onHeir[me]=0 }
     fi;
     goto look;
giveUp:
     if :: isHeir -> resign() :: else fi;
     if
     :: slept ->
#ifdef NOGIVEUPMARK
        was=(w>=UNIT);
#else
        atomic { was=(w>=UNIT); w=w|MARK };
#endif
#ifndef NOGIVEUPWAKE
        if :: was -> wakeAll() :: else fi
#endif
     :: else
     fi;
next: atomic { slept=0; late=0; dv=0; nm=0; ev=0; seen=0; isHeir=0; back=0; left=0; was=0 }
  od
  } unless { stop[me] };
  atomic { act[me]=0; round=0; slept=0; late=0; dv=0; nm=0; ev=0; seen=0; isHeir=0; back=0; left=0; was=0 }
}
proctype Giver(byte me; byte count) {
  byte seen, nm, n; bit got;
  {
  skip;
again:
  seen=w;
#ifdef EVENT
  if
#ifndef WAKEFIRST
  :: seen>=UNIT && (seen&MARK) -> goto tell
#endif
  :: seen>=UNIT && !(seen&MARK) -> goto done
  :: else
  fi;
#endif
#ifdef WAKEFIRST
  if :: seen&MARK -> atomic { wakeOne(got); got=0 } :: else fi;
#endif
#ifdef PLAINGIVE
  atomic { w=seen+count*UNIT; given=given+count };
#else
  atomic { if :: w==seen -> w=seen+count*UNIT; given=given+count :: else -> goto again fi };
#endif
#ifndef WAKEFIRST
  if
  :: seen&MARK ->
tell: nm=hr;
     if
     :: nm>MARK && !died[(nm>>1)-1] ->
#ifndef NOTELL
        if
        :: !(nm&MARK) -> atomic { hr=hr|MARK; wakeHeir() }; if :: hr>>1!=nm>>1 -> goto tell :: else fi
        :: else
        fi;
#endif
        goto done
     :: else
     fi;
     atomic {
       n=0;
       do
       :: n<count -> n++; wakeOne(got)
#ifdef WAKEONE
          ; break
#endif
       :: n==count -> break
       od; n=0 };
     if
     :: got
     :: !got && hr>MARK
     :: !got && hr<=MARK ->
        seen=w;
        if
        :: (seen&MARK) && seen>=UNIT ->
#ifdef PLAINUNMARK
           w=seen-MARK
#else
           d_step { if :: w==seen -> w=seen-MARK :: else fi }
#endif
        :: else
        fi
     fi
  :: else
  fi;
#endif
done: skip
  } unless { stop[3] };
  atomic { seen=0; nm=0; n=0; got=0; over[me]=1; if :: stop[3] || (over[0] && over[1]) -> act[3]=0 :: else fi }
}
proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if :: stop[p]=1; died[p]=1 :: died[p]=1; stop[p]=1 fi;
  if :: p<3 -> d_step { asl[p]=0; onHeir[p]=0 } :: else fi;
  deaths++;
  wakeDeaths()
}
/* nothing runs any more: nobody sleeps beside a unit */
proctype Judge() {
  timeout ->
  d_step {
#ifndef PLAINGIVE
    assert(w>>1==given-taken);
#endif
    assert(w<UNIT || (!asl[0] && !asl[1] && !asl[2]))
  }
}
init { atomic {
  act[0]=1; act[1]=1; act[3]=1; run Taker(0); run Taker(1);
#if TAKERS>2
  act[2]=1; run Taker(2);
#endif
  run Giver(0,FIRST); if :: SECOND>0 -> run Giver(1,SECOND) :: else -> over[1]=1 fi;
  if :: KILLABLE & 1 -> run Death(3) :: else fi; if :: KILLABLE & 2 -> run Death(0) :: else fi;
  if :: KILLABLE & 4 -> run Death(1) :: else fi; if :: KILLABLE & 8 -> run Death(2) :: else fi;
  run Judge() } }
