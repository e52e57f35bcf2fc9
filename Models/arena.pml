/* arena: a block's bits, a link and two heaps' intents (SharedArena): publishing, replacing, taking away and freeing, taking over what others have freed, helping, deaths and recovery.
 *
 * Heap 0 has a slab of B blocks: free, held and freed are its bits.  It allocates, and makes the link name the new block instead of the one that it names, which is freed.  Heap 1, another process, takes what
 * the link names out of it and frees that by the bits for others.  Whoever meets a pending link helps.  Heap 0 takes over what was freed, but for blocks that an intent names.
 * SIGKILL before any statement of heap 0 or 1 (KILLABLE, KILLS); then the repairer settles the dead one's intent, and of heap 0 frees what is in hand and takes over what was freed.  The repairer may die as
 * well, and another does all of it again (RKILLS).
 *
 * Abstract here: pages, runs, orphans; the claim of the repairer (peers.pml); the order of stores is the program's; numbers of changes modulo SEQS.
 *
 *   bounds        B, N0, N1 (rounds of each), KILLS, KILLABLE (bits), RKILLS, SEQS
 *
 * What must hold: no block is given out twice or freed twice; in the end every block is free or named by the link.
 *
 * Seeded mistakes, each must be caught:
 *   -DNAIVE         recovery asks whether the link names the block
 *   -DNOHELP        who helps does not say done
 *   -DHELPLATE      who helps moves the link on first
 *   -DNONUMBER      who helps says done for whatever change its owner is at
 *   -DNOAGAIN       recovery looks at the intent before the link only
 *   -DMOVEFIRST     recovery moves the link on and then says done, and dies in between
 *   -DCOLLECTALL    what an intent names is taken over as well
 *   -DLOOKFIRST     the intents are looked at before the bits
 *   -DNAMELATE      the old block is named after the link was changed
 *   -DCLEAREARLY    the intent is over before the old block is freed
 *   -DTAKEFIRST     a bit of another's is taken away before the block is free
 *   -DFREEFIRST     allocating: not free before it is held
 *   -DKEEPEARLY     it leaves the hand before the link is changed
 */
#ifndef B
#define B 2
#endif
#ifndef N0
#define N0 3
#endif
#ifndef N1
#define N1 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 3
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#ifndef SEQS
#define SEQS 4
#endif

bit free[B]=1, held[B], freed[B];
byte link, pseq; bit pend, pheap;                      /* one word: what it names (block + 1), pending, by whom, which change */
bit busy[2], done[2]; byte seq[2];                   /* one word of each heap */
byte fresh[2], old[2];                                 /* block + 1 */
bit dead[2], over[2], settled[2], rdead, rgone;
byte kills, rkills;
/* ghost: 0 free, 1 in hand, 2 published, 3 taken out, to be freed, 4 freed, not taken over */
byte is[B];

inline commit(me, from, to) { link=to; pend=1; pheap=me; pseq=seq[me];
  if :: to -> assert(is[to-1]==1); is[to-1]=2 :: else fi; if :: from -> assert(is[from-1]==2); is[from-1]=3 :: else fi }
inline setFree(b) { if :: !free[b] -> free[b]=1; assert(is[b]==1 || is[b]==3 || is[b]==4); is[b]=0 :: else fi }
inline setFreed(b) { if :: !freed[b] -> freed[b]=1; assert(is[b]==3 && !free[b]); is[b]=4 :: else fi }
/* in the name of heap `me`: free(old), keep(fresh) */
inline release(me, b) {
  if
  :: b==0
  :: b!=0 && me==0 -> if :: free[b-1] :: else -> d_step { setFree(b-1) }; held[b-1]=0 fi
  :: b!=0 && me==1 -> d_step { if :: free[b-1] -> assert(is[b-1]==0) :: else -> setFreed(b-1) fi }
  fi }
inline keep(b) { if :: b==0 :: b!=0 -> held[b-1]=0 fi }
inline finish(me) {
#ifdef CLEAREARLY
  o=old[me]; f=fresh[me]; old[me]=0; d_step { busy[me]=0; done[me]=0 }; release(me, o); keep(f)
#else
  o=old[me]; release(me, o); f=fresh[me]; keep(f); old[me]=0; d_step { busy[me]=0; done[me]=0 }
#endif
}
/* the word was seen pending: ph, ps, l */
inline help() {
#if defined(HELPLATE)
  d_step { if :: pend && pheap==ph && pseq==ps && link==l -> pend=0 :: else fi };
  d_step { if :: busy[ph] && seq[ph]==ps -> done[ph]=1 :: else fi }
#else
#if defined(NOHELP)
#elif defined(NONUMBER)
  d_step { if :: busy[ph] -> done[ph]=1 :: else fi };
#else
  d_step { if :: busy[ph] && seq[ph]==ps -> done[ph]=1 :: else fi };
#endif
  d_step { if :: pend && pheap==ph && pseq==ps && link==l -> pend=0 :: else fi }
#endif
}
inline change(me, from, to) {
  fresh[me]=to;
#ifndef NAMELATE
  old[me]=from;
#endif
#ifdef KEEPEARLY
  keep(to);
#endif
  d_step { busy[me]=1; done[me]=0; seq[me]=(seq[me]+1)%SEQS };
  ok=0;
  do
  :: d_step { link==from && !pend -> commit(me, from, to); ok=1 }; break
  :: d_step { pend -> ph=pheap; ps=pseq; l=link }; help()
  :: d_step { link!=from && !pend -> skip }; break
  od;
#ifdef NAMELATE
  if :: ok -> old[me]=from :: else fi;
#endif
  if
  :: ok ->
     d_step { done[me]=1 };
     d_step { if :: pend && pheap==me && pseq==seq[me] -> pend=0 :: else fi };
     finish(me)
  :: else -> old[me]=0; d_step { busy[me]=0; done[me]=0 }
  fi }
/* heap 0's bits; named: what may not be taken over */
inline collect() {
  b=0;
  do
  :: b<B ->
#ifdef LOOKFIRST
     n0=old[0]; n1=old[1];
     if :: freed[b] ->
#else
     if :: freed[b] -> n0=old[0]; n1=old[1];
#endif
#ifdef COLLECTALL
        n0=0; n1=0;
#endif
        if
        :: n0==b+1 || n1==b+1
        :: else ->
#ifdef TAKEFIRST
           freed[b]=0; d_step { setFree(b) }; held[b]=0
#else
           d_step { setFree(b) }; held[b]=0; freed[b]=0
#endif
        fi
     :: else fi; b++
  :: else -> break
  od; b=0; n0=0; n1=0 }

proctype Owner() {
  byte i, b, o, f, ps, l, n0, n1, x; bit ok, ph;
  {
    do
    :: i<N0 -> i++; collect(); x=0;
       b=0; do :: b<B && !x -> if :: free[b] -> x=b+1 :: else fi; b++ :: else -> break od; b=0;
       if
       :: x ->
#ifdef FREEFIRST
          d_step { assert(is[x-1]==0); free[x-1]=0; is[x-1]=1 }; held[x-1]=1;
#else
          held[x-1]=1; d_step { assert(is[x-1]==0); free[x-1]=0; is[x-1]=1 };
#endif
          d_step { l=link; ok=pend; ph=pheap; ps=pseq };
          if :: ok -> help() :: else fi;
          f=l;
          change(0, f, x);
          if :: !ok -> release(0, x) :: else fi
       :: else fi
    :: else -> break
    od;
    collect(); over[0]=1
  } unless { dead[0] }
}
proctype Taker() {
  byte i, o, f, ps, l, x; bit ok, ph;
  {
    do
    :: i<N1 -> i++;
       d_step { l=link; ok=pend; ph=pheap; ps=pseq };
       if :: ok -> help() :: else fi;
       x=l;
       if :: x -> change(1, x, 0) :: else fi
    :: else -> break
    od; over[1]=1
  } unless { dead[1] }
}
inline settle(me) {
  d_step { a=busy[me]; ok=done[me]; s=seq[me] };
  if
  :: a ->
     o=old[me]; f=fresh[me];
#ifdef NAIVE
     if :: link==f || ok -> ok=1 :: else fi;
     d_step { if :: pend && pheap==me -> pend=0 :: else fi };
#else
     d_step { p=(pend && pheap==me && pseq==s && link==f) };
     if
     :: p ->
#ifdef MOVEFIRST
        d_step { if :: pend && pheap==me && pseq==s -> pend=0 :: else fi }; done[me]=1
#else
        done[me]=1; d_step { if :: pend && pheap==me && pseq==s -> pend=0 :: else fi }
#endif
     :: else fi;
#ifdef NOAGAIN
     if :: p -> ok=1 :: else fi;
#else
     ok=done[me];
#endif
#endif
     if :: ok -> finish(me) :: else -> old[me]=0; d_step { busy[me]=0; done[me]=0 } fi
  :: else -> old[me]=0
  fi }
proctype Repairer(bit me) {
  byte b, o, f, s, n0, n1; bit ok, a, p;
  {
    settle(me);
    if
    :: me==0 ->
       b=0;
       do
       :: b<B -> if :: !free[b] && held[b] -> d_step { setFree(b) }; held[b]=0 :: else fi; b++
       :: else -> break
       od;
       collect()
    :: else fi;
    settled[me]=1
  } unless { rdead -> rgone=1 }
}
init {
  byte b; bit me;
  atomic { run Owner(); run Taker() };
  do
  :: kills<KILLS && (KILLABLE & 1) && !over[0] && !dead[0] -> kills++; dead[0]=1; me=0; goto repair
  :: kills<KILLS && (KILLABLE & 2) && !over[1] && !dead[1] -> kills++; dead[1]=1; me=1; goto repair
  :: (over[0] || settled[0]) && (over[1] || settled[1]) -> break
  :: 0 ->
repair:
     run Repairer(me);
     do
     :: settled[me] -> break
     :: d_step { rkills<RKILLS && !settled[me] -> rkills++; rdead=1 }; rgone; rgone=0; rdead=0; run Repairer(me)
     od
  od;
  b=0;
  do
  :: b<B ->
     assert(is[b]==0 || is[b]==2 || is[b]==4);
     assert((is[b]==0)==free[b]);
     assert((is[b]==4)==(freed[b] && !free[b]));
     assert((is[b]==2)==(link==b+1));
     b++
  :: else -> break
  od;
  assert(!pend)
}
