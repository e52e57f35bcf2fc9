/* barrier: parties that wait for one another, under a lock (Monitor, SharedBarrier); phases, losses; deaths.
 *
 * Each party comes ROUNDS times, and then closes the barrier.  SIGKILL before any statement; the peer's thread runs on until it stops, its life word is marked, its
 * death is announced.  Abstract here, as in permits: the lock, taken in one step, from a dead holder after the barrier of memory; sleeping for it; time: a
 * deadline passes when it likes once a call has slept.  All parties have joined; a deadline that passes while another is stopped in the lock (undecided) is not
 * here, nor is who takes the place of the dead.
 *
 * What must hold: nobody goes on before all who live and have not closed have come to the same phase and are in their call; a loss is counted for each dead
 * party (again if who counted is killed before the slot is cleared: nobody looks in between), and whoever has not heard of it has not come; nobody sleeps when nothing runs any more.
 *
 *   bounds        PEERS, ROUNDS, ROUNDS0 (of the first party), KILLS, KILLABLE, GIVEUP (bits per party)
 *
 * Seeded mistakes, each must be caught:
 *   -DDEATHSLATE   `deaths` is read after the lock was let go
 *   -DNOSEEN       nobody compares `deaths_seen` before the sleep
 *   -DNODEATHS     sleep on `changes` alone
 *   -DNOCHANGE     the end of a phase changes no number
 *   -DTAGPHASE     who has come is known by the phase alone, so that who was not told of a loss counts
 *   -DNOWITHDRAW   who goes at its deadline has come all the same
 *   -DCLEARFIRST   the slot of the dead is cleared before the loss is counted
 *   -DLEAVESILENT  who closes does not look whether all others have come
 *   -DDEADCOME     the dead are parties for ever
 */
#ifndef PEERS
#define PEERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef ROUNDS0
#define ROUNDS0 ROUNDS
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
#define IS(mask) (((mask)>>me)&1)
byte lock, deaths, seenDeaths, phase, losses, kills;
byte slot[3];                          /* 0: no party; else 1 and the tag for which it has come */
bit  mark, moved[3], asl[3], act[3], stop[3], died[3];
byte passed[3], known; bit inCall[3], left[3]; /* ghosts; of how many losses all knew when the last phase ended */
#ifdef TAGPHASE
#define TAG (phase+2)
#else
#define TAG (phase+losses+2)
#endif
#define MEMBERS ((slot[0]!=0)+(slot[1]!=0)+(slot[2]!=0))
#define COME ((slot[0]==TAG)+(slot[1]==TAG)+(slot[2]==TAG))
inline move() { mark=0; moved[0]=1; moved[1]=1; moved[2]=1 }
inline wakeAll() { d_step { asl[0]=0; asl[1]=0; asl[2]=0 } }
inline lose(i) {
  if
  :: (gone>>i)&1 && slot[i]!=0 ->
#ifdef CLEARFIRST
     slot[i]=0;
#endif
     losses++;
     slot[i]=0
  :: else
  fi
}
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
  :: lost || dv!=seenDeaths ->
     d_step { gone=died[0]|(died[1]<<1)|(died[2]<<2) };
     atomic { (!(gone&1) || !slot[0] || stop[0]) && (!(gone&2) || !slot[1] || stop[1]) && (!(gone&4) || !slot[2] || stop[2]) };
#ifndef DEADCOME
     lose(0); lose(1); lose(2);
#endif
     d_step { move(); gone=0 };
     seenDeaths=dv;
     wakeAll()
  :: else
  fi;
  atomic { dv=0; lost=0 }
}
inline endPhase() {
  if
  :: COME>0 && COME>=MEMBERS -> d_step { phase++; known=losses };
#ifndef NOCHANGE
     d_step { if :: mark -> move(); ch=1 :: else fi };
#endif
     ended=1
  :: else
  fi
}
inline leave() {
  lock=0;
  if :: ch -> wakeAll() :: else fi;
  ch=0
}
inline withdraw() { if :: slot[me]==TAG -> slot[me]=TAG-1 :: else fi }
#define BEHIND(j) (stop[j] || left[j] || passed[j]==passed[me] || (passed[j]+1==passed[me] && inCall[j]))
proctype Party(byte me) {
  byte h, dv, gone, lost, mine, told; bit called, late, ch, ended;
  {
  do
  :: passed[me]==(me==0 -> ROUNDS0 : ROUNDS) -> break
  :: else ->
     d_step { inCall[me]=1; called=0; late=0; ended=0 };
look:
     enter();
     if :: called && phase!=mine -> leave(); goto together :: else fi;
     if
     :: losses!=told -> told=losses; withdraw(); d_step { inCall[me]=0 }; leave(); goto over
     :: else
     fi;
     if
     :: late ->
#ifndef NOWITHDRAW
        withdraw();
#endif
        d_step { inCall[me]=0 }; leave(); goto over
     :: else
     fi;
     atomic { mine=phase; called=1 };
     slot[me]=TAG;
     endPhase();
     if :: ended -> leave(); goto together :: else fi;
#ifndef DEATHSLATE
     dv=deaths;
#endif
     d_step { mark=1; moved[me]=0 };
#ifndef NOSEEN
     if :: dv!=seenDeaths -> dv=0; leave(); goto look :: else fi;
#endif
     leave();
#ifdef DEATHSLATE
     dv=deaths;
#endif
     atomic {
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
     :: atomic { asl[me] && IS(GIVEUP) && passed[me]==0 -> asl[me]=0; late=1 }
     fi;
     goto look;
together:
     atomic { passed[me]++; inCall[me]=0; assert(BEHIND(0)); assert(BEHIND(1)); assert(PEERS<3 || BEHIND(2)); assert(told==known) };
over: atomic { called=0; late=0; ended=0; mine=0 }
  od;
  enter();
  d_step { slot[me]=0; left[me]=1 };
#ifndef LEAVESILENT
  endPhase();
#endif
  leave()
  } unless { stop[me] };
  atomic { act[me]=0; h=0; dv=0; gone=0; lost=0; mine=0; told=0; called=0; late=0; ch=0; ended=0 }
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
#define LOST(j) (died[j] && !left[j] && slot[j]==0)
/* nothing runs any more */
proctype Judge() { timeout ->
  d_step { assert(asl[0]==0 && asl[1]==0 && asl[2]==0);
    assert(losses>=LOST(0)+LOST(1)+(PEERS>2 && LOST(2)) || (lock!=0 && died[lock-1]));
    assert(lock==0 || died[lock-1]) } }
init { atomic {
  slot[0]=1; slot[1]=1; act[0]=1; run Party(0); act[1]=1; run Party(1);
#if PEERS>2
  slot[2]=1; act[2]=1; run Party(2);
#endif
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi; if :: KILLABLE & 4 -> run Death(2) :: else fi;
  run Judge() } }
