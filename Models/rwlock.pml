/* rwlock: readers and writers of a value under a lock (Monitor, ReadWriteLockCore); the next; a value left half changed; deaths.
 *
 * Each peer reads or changes the value, ROUNDS times; who finds it left half changed makes it whole if it changes it, and else goes.  SIGKILL before any statement; the
 * peer's thread runs on until it stops, its life word is marked, its death is announced, its slot may be cleared.  Abstract here, as in permits: the lock, taken in one
 * step, from a dead holder after the barrier; sleeping for it; time: out of patience and past its deadline is a call when it likes once it has slept; `changes` is
 * kept as "has got another number since" and its mark; one thread each, so that the two words of a slot are one.  A slot's next peer is another one (peers).  Not
 * here: a thread that reads already and reads again, or asks to change: its own record tells (HeldLocks).
 *
 * BESIDE: peers that let go, or give up being the next, beside the lock, as who has found it held for long; here also when it is free.
 *
 * What must hold: nobody has the value beside who changes it, as long as both run; who uses it finds it whole, or is told that a death has left it; nobody sleeps when
 * nothing runs any more; then the lock for the monitor's words is free or a dead one's, and the value is whole, or said not to be, or its writer stands in `writer`.
 *
 *   bounds        PEERS, ROUNDS, WRITERS, KILLABLE, GIVEUP, NEXTS, BESIDE (bits per peer), KILLS
 *
 * Seeded mistakes, each must be caught:
 *   -DREADBESIDE    a reader does not look whether somebody changes the value
 *   -DWRITEBESIDE   a writer does not look whether somebody reads
 *   -DNOREMAKE      the sums are not made anew
 *   -DNOBARRIER     what the dead had is taken over without the barrier
 *   -DNOTOLD        nobody is told that a writer has died
 *   -DWRITERFIRST   the dead writer is taken away before its death is written down
 *   -DDEATHSLATE    `deaths` is read after the monitor's lock was let go
 *   -DNOSEEN        nobody compares `deaths_seen` before the sleep
 *   -DNODEATHS      sleep on `changes` alone
 *   -DREADSILENT    the last reader changes no number
 *   -DWRITESILENT   the writer changes no number
 *   -DBESIDESILENT  what is let go beside the lock is not counted, and changes no number
 *   -DBESIDENOLOOK  nobody compares `given_back_seen` before the sleep
 *   -DBESIDESUM     who stops reading beside the lock changes the sum itself
 *   -DNONEXT        the next is not looked at
 *   -DNEXTSTAYS     the next stays next when it goes without
 *   -DNEXTDEAD      a dead next stays next
 *   -DNEXTSILENT    who is the next no more wakes nobody
 *   -DNEXTWAKES     who is the next no more, and finds the lock held for long, wakes others, but leaves the number
 * Argued, not run: no mistakes are the sum stored before the truth, `deaths_seen` before the sum, nothing made anew for a lock from a dead holder.  Each death is announced later, and then
 * all is made anew; the code does not count on that alone.
 */
#ifndef PEERS
#define PEERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef KILLABLE
#define KILLABLE 1
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef NEXTS
#define NEXTS 0
#endif
#ifndef BESIDE
#define BESIDE 0
#endif
/* what can be given back beside the lock */
#define MOST (PEERS*ROUNDS)
#define IS(mask) (((mask)>>me)&1)
byte lock, deaths, seenDeaths, given, seenGiven, sum, next, kills, writer, told;
bit  slot[3];                          /* the truth: who reads */
bit  mark, moved[3], asl[3], act[3], stop[3], died[3];
bit  half, reads[3], writes[3];        /* ghosts: the value is half changed; who uses it */
inline move() { mark=0; moved[0]=1; moved[1]=1; moved[2]=1 }
inline wakeAll() { d_step { asl[0]=0; asl[1]=0; asl[2]=0 } }
#define GONE(i) ((gone>>(i))&1)
#define RUNS(i) (act[i] && !stop[i])
/* nobody who still runs has it beside a writer who does */
#define APART ((RUNS(0)&&writes[0])+(RUNS(1)&&writes[1])+(RUNS(2)&&writes[2])==0 \
  || (RUNS(0)&&(writes[0]||reads[0]))+(RUNS(1)&&(writes[1]||reads[1]))+(RUNS(2)&&(writes[2]||reads[2]))==1)
inline takeAway() {
#ifdef WRITERFIRST
  lw=writer; writer=0; told=lw; lw=0
#else
#ifndef NOTOLD
  told=writer;
#endif
  writer=0
#endif
}
/* take the monitor's lock, and what comes first in it */
inline enter() {
  atomic { lock==0 || died[lock-1] ->
    if
    :: lock==0 -> lost=0; lock=me+1
    :: else -> h=lock
    fi };
  if
  :: h!=0 -> atomic { stop[h-1] -> if :: lock==h -> lost=1 :: lock==0 -> lost=0 :: else -> lost=2 fi;
       if :: lost!=2 -> lock=me+1; h=0 :: else fi };
     atomic { if :: lost==2 -> (lock==0 || (died[lock-1] && stop[lock-1])); lost=(lock!=0); lock=me+1; h=0 :: else fi }
  :: else
  fi;
  dv=deaths;
  if
#ifdef NOREMAKE
  :: false ->
#else
  :: lost || dv!=seenDeaths || given!=seenGiven ->
#endif
     gv=given;
     d_step { gone=died[0]|(died[1]<<1)|(died[2]<<2) };
#ifndef NOBARRIER
     atomic { (!GONE(0) || (!slot[0] && writer!=1) || stop[0]) && (!GONE(1) || (!slot[1] && writer!=2) || stop[1]) && (!GONE(2) || (!slot[2] && writer!=3) || stop[2]) };
#endif
     if :: GONE(0) && slot[0] -> slot[0]=0 :: else fi;
     if :: GONE(1) && slot[1] -> slot[1]=0 :: else fi;
     if :: GONE(2) && slot[2] -> slot[2]=0 :: else fi;
     if :: writer!=0 && GONE(writer-1) -> takeAway() :: else fi;
#ifndef NEXTDEAD
     if :: next!=0 && GONE(next-1) -> next=0 :: else fi;
#endif
     sum=slot[0]+slot[1]+slot[2];
     atomic { seenGiven=gv; gv=0 };
     d_step { move(); gone=0 };
     seenDeaths=dv;
     wakeAll()
  :: else
  fi;
  atomic { dv=0; lost=0 }
}
inline change() { d_step { if :: mark -> move(); ch=1 :: else fi } }
inline leave() { lock=0; if :: ch -> wakeAll() :: else fi; ch=0 }
inline beside() {
#ifndef BESIDESILENT
  given++;
  d_step { move() };
#endif
  wakeAll()
}
#ifdef NONEXT
#define MAY true
#else
#define MAY (isNext || next==0)
#endif
#ifdef READBESIDE
#define FREE (IS(WRITERS) -> writer==0 && sum==0 : true)
#elif defined(WRITEBESIDE)
#define FREE (writer==0)
#else
#define FREE (writer==0 && (!IS(WRITERS) || sum==0))
#endif
proctype Peer(byte me) {
  byte round, h, dv, gv, gone, lost, lw, again; bit slept, late, isNext, ch, resigned;
  {
  do
  :: round==ROUNDS -> break
  :: else ->
     atomic { round++; slept=0; late=0 };
look:
     enter();
     if
     :: FREE && MAY ->
        assert(next==0 || next==me+1 || died[next-1]);
        if
        :: IS(WRITERS) -> writer=me+1
        :: else ->
           slot[me]=1; sum++
        fi;
        if :: isNext -> isNext=0; next=0;
#ifndef NEXTSILENT
           change()
#endif
        :: else fi;
        leave();
        if
        :: IS(WRITERS) ->
           d_step { writes[me]=1; assert(APART); assert(!half || told) };
           half=1;
           half=0;
           d_step { assert(APART); writes[me]=0 };
           told=0;
           if
           :: IS(BESIDE) -> atomic { assert(writer==me+1); writer=0 }; beside(); goto over
           :: else
           fi;
           enter();
           writer=0;
#ifndef WRITESILENT
           change();
#endif
           leave()
        :: else ->
           d_step { reads[me]=1; assert(APART); assert(!half || told) };
           d_step { assert(APART); assert(!half || told); reads[me]=0 };
           if
           :: IS(BESIDE) -> slot[me]=0;
#ifdef BESIDESUM
              sum--;
#endif
              beside(); goto over
           :: else
           fi;
           enter();
           slot[me]=0;
           sum--;
#ifndef READSILENT
           if :: sum==0 -> change() :: else fi;
#endif
           leave()
        fi;
        goto over
     :: else
     fi;
     if
     :: late -> leave(); goto giveUp
     :: !late && slept && IS(NEXTS) && next==0 -> next=me+1; isNext=1
     :: !late
     fi;
#ifndef DEATHSLATE
     dv=deaths;
#endif
     d_step { mark=1; moved[me]=0 };
#ifndef NOSEEN
     if :: dv!=seenDeaths -> dv=0; leave(); again++; assert(again<=KILLS+MOST); goto look :: else fi;
#endif
#ifndef BESIDENOLOOK
     if :: given!=seenGiven -> dv=0; leave(); again++; assert(again<=KILLS+MOST); goto look :: else fi;
#endif
     leave();
#ifdef DEATHSLATE
     dv=deaths;
#endif
     if :: IS(GIVEUP) -> late=1 :: true fi;
     atomic { slept=1;
       if
#ifdef NODEATHS
       :: !moved[me] -> asl[me]=1
#else
       :: !moved[me] && dv==deaths -> asl[me]=1
#endif
       :: else
       fi; dv=0 };
     if
     :: !asl[me]
     :: atomic { asl[me] && late -> asl[me]=0 }
     fi;
     goto look;
giveUp:
#ifndef NEXTSTAYS
     if
     :: isNext ->
        isNext=0;
        d_step { if :: next==me+1 -> next=0; resigned=1 :: else fi };
        if
#ifndef NEXTSILENT
        :: resigned -> enter(); change(); leave()
        :: resigned && IS(BESIDE) ->
#ifndef NEXTWAKES
           given++;
           d_step { move() };
#endif
           wakeAll()
#endif
        :: else
        fi
     :: else
     fi;
#endif
over: atomic { again=0; resigned=0; slept=0; late=0; isNext=0; ch=0; dv=0 }
  od
  } unless { stop[me] };
  atomic { act[me]=0; round=0; h=0; dv=0; gv=0; gone=0; lost=0; lw=0; again=0; resigned=0; slept=0; late=0; isNext=0; ch=0 }
}
/* its threads may run on for a moment after its life word was marked; who announces its death has seen to it that they do not */
proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if :: stop[p]=1; died[p]=1 :: died[p]=1; stop[p]=1 fi;
  asl[p]=0;
  deaths++
#ifndef NODEATHS
  ; wakeAll()
#endif
}
proctype Judge() { timeout ->
  d_step { assert(asl[0]==0 && asl[1]==0 && asl[2]==0);
    assert(lock==0 || died[lock-1]);
    assert(!half || told || (writer!=0 && died[writer-1])) } }
init { atomic { act[0]=1; run Peer(0); act[1]=1; run Peer(1);
#if PEERS>2
  act[2]=1; run Peer(2);
#endif
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi; if :: KILLABLE & 4 -> run Death(2) :: else fi;
  run Judge() } }
