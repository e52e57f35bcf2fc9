/* arena_reference: a value that peers hold together (SharedReference): a word for each peer, the state of the record, who destroys, and what a survivor does for a dead one (decision 0017).
 *
 * One record, of which the values have generations.  There is a first value, which peer 0 holds, and all have its ticket.  N threads, the first TWINS + 1 of them of one peer, take OPS times with the ticket that is the newest then (or, with
 * MAKES, make another value when the record is free), and let go of what they have.  SIGKILL before any statement of those in KILLABLE (bits; none of the twins), KILLS in all, and of who repairs, RKILLS times: another one does it again.
 *
 * Abstract here: the change of a link, with the block that goes, is one step (arena.pml); the barrier before repairs, and who repairs (peers.pml).  Memory order is that of the program, since all are sequentially consistent.
 *
 *   bounds        N, TWINS, OPS, MAKES (values that are made), KILLS, KILLABLE, RKILLS
 *
 * What must hold: who holds a value finds it, of its generation; a value is destroyed once.  When nothing moves: nobody alive holds anything, the record is free, all words are 0, and there is no block.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOTAKEN      who takes looks at `state` after it has counted, and does not change the number in it
 *   -DTAKENFIRST   who takes changes `state` before its own word
 *   -DNOLOOK       who takes looks at `state` only before it counts
 *   -DNOGEN        who takes does not compare the generation
 *   -DUNDOSILENT   who has taken in vain takes its count away and does not look whether anybody is left
 *   -DTWINBLIND    who takes what its peer holds already does not change `state`
 *   -DLOOKFIRST    who lets go looks at the others before it takes its own count away
 *   -DSTATELATE    who lets go reads `state` after it has looked at the words
 *   -DPLAINEND     who lets go stores `state` without comparing it
 *   -DNONAME       a record that is being made or destroyed says not by whom
 *   -DNODROP       who repairs leaves the dead one's word
 *   -DDROPALL      who repairs drops the words of all (what a count without names comes to)
 *   -DNOSCAN       who repairs does not look for what nobody holds, only for what the dead one had
 *   -DFREEFIRST    the record is free before the block is
 *   -DCOUNTLATE    who makes counts itself after the value is there
 */
#ifndef N
#define N 3
#endif
#ifndef TWINS
#define TWINS 0
#endif
#ifndef OPS
#define OPS 1
#endif
#ifndef MAKES
#define MAKES 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 7
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#define PEERS (N-TWINS)
#define NOBODY 9
mtype = { free, making, alive, dying }

mtype phase=alive; byte gen=1, rest;                    /* one word; rest: a number, or who makes or destroys */
byte word[PEERS];                                       /* how often each peer holds it */
byte block=1;                                           /* the value that is in the block; 0 none */
byte ticket=1;                                          /* the newest */
bit held[N], dead[N], ended[N], repaired[N], again; byte which[N], kills, rkills;
byte gone;                                              /* ghost: the last value that was destroyed */

inline whole() { d_step { assert(!held[p] || (phase==alive && gen==which[p] && block==gen)) } }

inline destroy() {
#ifdef FREEFIRST
  phase=free; rest=0;
#endif
  d_step { if :: block!=0 -> assert(block>gone); gone=block; block=0 :: else fi };
#ifndef FREEFIRST
  d_step { phase=free; rest=0 };
#endif
  skip }

inline look() {                                         /* whether anybody holds it, one word after the other */
  x=0; found=0;
  do
  :: x==PEERS || found -> break
  :: x<PEERS && !found -> if :: word[x]>0 -> found=1 :: else -> x++ fi
  od; x=0 }

inline end(by) {                                        /* what nobody holds is destroyed */
#ifdef STATELATE
  look(); d_step { f=phase; g=gen; s=rest };
#else
  d_step { f=phase; g=gen; s=rest; found=0 };
#ifdef LOOKFIRST
  found=before;
#else
  if :: f==alive -> look() :: else fi;
#endif
#endif
  d_step {
    if
#ifdef PLAINEND
    :: f==alive && !found -> phase=dying; gen=g; rest=by
#else
    :: f==alive && !found && phase==alive && gen==g && rest==s -> phase=dying; rest=by
#endif
    :: else -> found=1
    fi; f=free; g=0; s=0;
#ifdef NONAME
    if :: !found -> rest=NOBODY :: else fi
#endif
  };
  if :: !found -> destroy() :: found fi; found=0 }

inline letGo() {
#ifdef LOOKFIRST
  d_step { x=0; before=0; do :: x==PEERS -> break :: x<PEERS -> if :: x!=me && word[x]>0 -> before=1 :: else fi; x++ od; if :: word[me]>1 -> before=1 :: else fi; x=0 };
#endif
  d_step { held[p]=0; word[me]=word[me]-1 };
  end(me) }

inline enter() {                                        /* after it has counted: got says whether the value is its own as well */
  d_step {
    if
#ifdef NOLOOK
    :: got=1
#elif defined(NOGEN)
    :: phase==alive -> rest++; got=1
#elif defined(NOTAKEN)
    :: phase==alive && gen==t -> got=1
#elif defined(TWINBLIND)
    :: phase==alive && gen==t -> if :: word[me]==1 -> rest++ :: else fi; got=1
#else
    :: phase==alive && gen==t -> rest++; got=1
#endif
    :: else -> got=0
    fi } }

inline take() {
  t=ticket;
  if
#ifdef NOGEN
  :: phase==alive ->
#else
  :: phase==alive && gen==t ->
#endif
#ifdef TAKENFIRST
     enter();
     if :: got -> d_step { word[me]++; held[p]=1; which[p]=t } :: !got fi;
#else
     word[me]++; enter();
     if
     :: got -> d_step { held[p]=1; which[p]=t }
     :: !got ->
#ifdef UNDOSILENT
        word[me]=word[me]-1
#else
        letGo()
#endif
     fi;
#endif
     got=0
  :: else
  fi; t=0 }

inline make() {
  d_step { if :: phase==free -> phase=making; gen++; rest=me; got=1 :: else -> got=0 fi;
#ifdef NONAME
    if :: got -> rest=NOBODY :: else fi
#endif
  };
  if
  :: got ->
#ifndef COUNTLATE
     word[me]++;
#endif
     d_step { assert(block==0); block=gen };
     d_step { phase=alive; rest=0; ticket=gen };
#ifdef COUNTLATE
     word[me]++;
#endif
     d_step { held[p]=1; which[p]=gen }
  :: !got
  fi; got=0 }

proctype Peer(byte p; byte me) {
  byte ops, x, s, g, t; mtype f=free; bit found, got, before;
  {
  do
  :: held[p] -> whole(); letGo()
  :: !held[p] && ops==OPS -> break
  :: !held[p] && ops<OPS -> ops++;
     if
     :: take()
     :: MAKES>0 && phase==free && gen<=MAKES -> make()
     fi
  od
  } unless { dead[p] };
  atomic { ops=0; x=0; s=0; g=0; t=0; f=free; found=0; got=0; before=0; held[p]=0; which[p]=0 };
  ended[p]=1 }

#define LEFT(i) (ended[i] && dead[i] && !repaired[i])
proctype Repairer() {                                   /* of the dead, in the name of who is dead */
  byte p, me, x, s, g; mtype f=free; bit found, before;
endnext:
  atomic {
    (LEFT(0) || (N>1 && LEFT(1)) || (N>2 && LEFT(2)));
    if :: LEFT(0) -> p=0 :: N>1 && LEFT(1) -> p=1 :: N>2 && LEFT(2) -> p=2 fi;
    me=(p>TWINS -> p-TWINS : 0); x=0; s=0; g=0; f=free; found=0; again=0 };
  {
#ifdef DROPALL
    x=0; do :: x==PEERS -> break :: x<PEERS -> word[x]=0; x++ od; x=0;
#elif !defined(NODROP)
    word[me]=0;
#endif
    if
    :: atomic { (phase==making || phase==dying) && rest==me } -> destroy()
#ifdef NOSCAN
    :: else
#else
    :: else -> end(me)
#endif
    fi;
    repaired[p]=1
  } unless { again };
  goto endnext }

init {
  byte x;
  atomic {
    word[0]=1; held[0]=1; which[0]=1;
    for (x : 0 .. N-1) { run Peer(x, (x>TWINS -> x-TWINS : 0)) };
    run Repairer(); x=0 };
  do
  :: d_step { kills<KILLS && !dead[0] && !ended[0] && (KILLABLE & 1) -> kills++; dead[0]=1 }
  :: d_step { N>1 && kills<KILLS && !dead[1] && !ended[1] && (KILLABLE & 2) -> kills++; dead[1]=1 }
  :: d_step { N>2 && kills<KILLS && !dead[2] && !ended[2] && (KILLABLE & 4) -> kills++; dead[2]=1 }
  :: d_step { rkills<RKILLS && !again && kills>0 -> rkills++; again=1 }
  :: kills<KILLS -> kills=KILLS
  :: timeout -> break
  od;
  for (x : 0 .. PEERS-1) { assert(word[x]==0) };
  assert(phase==free && block==0)
}
