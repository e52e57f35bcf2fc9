/* permits: units whose holders are known, under a lock (Monitor, SharedPermits); the next; deaths.
 *
 * Each peer takes WANT units, has them, gives them back, ROUNDS times.  SIGKILL before any statement; the peer's thread runs on until it stops, its life word is
 * marked, its death is announced, its slot may be cleared.  Abstract here: the lock (lock), taken in one step, from a dead holder after the barrier;
 * sleeping for it; time: out of patience and past its deadline is a call when it likes once it has slept.  `changes` is kept as "has got another number since",
 * exact for what is compared, and its mark.  A slot's next peer is another one (peers).
 *
 * BESIDE: peers that give back, or give up being the next, beside the lock, as who has found it held for long; here also when it is free.  One thread each: the two words of a slot are one.
 *
 *   bounds        PEERS, ROUNDS, UNITS, WANT2 (what peer 2 wants; the others one), KILLS, KILLABLE, GIVEUP, NEXTS, BESIDE (bits per peer)
 *
 * Seeded mistakes, each must be caught:
 *   -DDEATHSLATE    `deaths` is read after the lock was let go
 *   -DNOCHANGE      giving back changes no number
 *   -DNODEATHS      sleep on `changes` alone
 *   -DNOREMAKE      the sums are not made anew
 *   -DNOBARRIER     the dead's units are given back without the barrier
 *   -DWAKEFIRST     those who wait are woken before the number is changed
 *   -DNOSEEN        nobody compares `deaths_seen` before the sleep
 *   -DBESIDESILENT  what is given back beside the lock is not counted
 *   -DBESIDENOLOOK  nobody compares `given_back_seen` before the sleep
 *   -DBESIDELATE    who gives back beside the lock changes the number first, and then counts
 *   -DBESIDEAFTER   who makes the sum reads `given_back` after it
 *   -DBESIDESUM     who gives back beside the lock changes the sum itself
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
#ifndef UNITS
#define UNITS 2
#endif
#ifndef WANT2
#define WANT2 1
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
#define WANTED (me==2 -> WANT2 : 1)
#define DEAD(i) (died[i])
byte lock, deaths, seenDeaths, given, seenGiven, sum, next, kills;
byte slot[3];                          /* the truth */
bit  mark, moved[3], asl[3], act[3], stop[3], died[3];
byte out[3];                           /* ghost: what it is using */
inline move() { mark=0; moved[0]=1; moved[1]=1; moved[2]=1 }
inline wakeAll() { d_step { asl[0]=0; asl[1]=0; asl[2]=0 } }
/* take the lock, and what comes first in it */
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
#ifndef BESIDEAFTER
     gv=given;
#endif
     d_step { gone=died[0]|(died[1]<<1)|(died[2]<<2) };
#ifndef NOBARRIER
     atomic { (!(gone&1) || !slot[0] || stop[0]) && (!(gone&2) || !slot[1] || stop[1]) && (!(gone&4) || !slot[2] || stop[2]) };
#endif
     if :: (gone&1) && slot[0] -> slot[0]=0 :: else fi;
     if :: (gone&2) && slot[1] -> slot[1]=0 :: else fi;
     if :: (gone&4) && slot[2] -> slot[2]=0 :: else fi;
#ifndef NEXTDEAD
     if :: next!=0 && ((gone>>(next-1))&1) -> next=0 :: else fi;
#endif
     sum=slot[0]+slot[1]+slot[2];
#ifdef BESIDEAFTER
     gv=given;
#endif
     atomic { seenGiven=gv; gv=0 };
     d_step { move(); gone=0 };
     seenDeaths=dv;
     wakeAll()
  :: else
  fi;
  atomic { dv=0; lost=0 }
}
inline change() { d_step { if :: mark -> move(); ch=1 :: else fi } }
inline leave() {
  lock=0;
#ifndef WAKEFIRST
  if :: ch -> wakeAll() :: else fi;
#endif
  ch=0
}
#ifdef WAKEFIRST
#define change() d_step { if :: mark -> ch=1 :: else fi }; if :: ch -> wakeAll(); d_step { move() } :: else fi
#endif
proctype Peer(byte me) {
  byte round, h, dv, gv, gone, lost, again; bit slept, late, isNext, ch, resigned;
  {
  do
  :: round==ROUNDS -> break
  :: else ->
     atomic { round++; slept=0; late=0 };
look:
     enter();
     if
#ifdef NONEXT
     :: sum+WANTED<=UNITS ->
#else
     :: sum+WANTED<=UNITS && (isNext || next==0) ->
#endif
        atomic { assert(next==0 || next==me+1 || died[next-1]);
        slot[me]=WANTED };
        sum=sum+WANTED;
        if :: isNext -> isNext=0; next=0;
#ifndef NEXTSILENT
           change()
#endif
        :: else fi;
        leave();
        d_step { out[me]=WANTED;
          assert((stop[0] -> 0 : out[0])+(stop[1] -> 0 : out[1])+(stop[2] -> 0 : out[2])<=UNITS) };
        out[me]=0;
        if
        :: IS(BESIDE) ->
           slot[me]=0;
#ifdef BESIDESUM
           sum=sum-WANTED;
#endif
#if !defined(BESIDESILENT) && !defined(BESIDELATE)
           given++;
#endif
           d_step { move() };
#ifdef BESIDELATE
           given++;
           goto over;
#endif
           wakeAll();
           goto over
        :: else
        fi;
        enter();
        slot[me]=0;
        sum=sum-WANTED;
#ifdef NOCHANGE
        skip;
#else
        change();
#endif
        leave();
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
  atomic { act[me]=0; round=0; h=0; dv=0; gv=0; gone=0; lost=0; again=0; resigned=0; slept=0; late=0; isNext=0; ch=0 }
}
proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if :: stop[p]=1; died[p]=1 :: died[p]=1; stop[p]=1 fi;
  asl[p]=0;
  deaths++
#ifndef NODEATHS
  ; wakeAll()
#endif
}
/* nothing runs any more: what is out is what the living hold, and an announced death has cost nothing */
proctype Judge() { timeout ->
  d_step { assert(asl[0]==0 && asl[1]==0 && asl[2]==0);
    assert(lock==0 || died[lock-1]) } }
init { atomic { act[0]=1; run Peer(0); act[1]=1; run Peer(1);
#if PEERS>2
  act[2]=1; run Peer(2);
#endif
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi; if :: KILLABLE & 4 -> run Death(2) :: else fi;
  run Judge() } }
