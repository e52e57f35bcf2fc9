/* variable: a place for one value, its control word, its two places, and the three words that its takers, putters and readers sleep on (SharedVariable).
 *
 * Four parties, of which each is a putter (1), a taker (2), a changer (3: swaps, or changes and lets it be), or a reader (4); 0: nobody.  `control` is full, a number, and the claim of who changes it.  Who puts or
 * changes claims it, writes the value that comes next into the other place, in two halves, and publishes; who takes copies and takes it away, without a claim if nobody is in its way.  A reader takes what is
 * there or what is put next, whoever takes that.  Each word to sleep on is a number and a mark, as in shared_queue_wait.  A claimer that has slept may become the next (HEIRS): others stand back for it.
 * SIGKILL before any statement of whoever is KILLABLE: its life word is marked and it stops, in either order, and until it stops it goes on; then its death is announced: `deaths` moves, all who sleep are woken.
 *
 * Abstract here: the order in which the kernel wakes (any); polling; numbers modulo 2^32; forked children; bytes that pass others (latest.pml has the same fences); a dead sleeper is gone from its queue when its
 * death is announced (lock.pml).
 *
 *   bounds        K0 … K3 (what each is), L0 … L3 (how often), KILLS, KILLABLE, GIVEUP, HEIRS, ABORTS (bits per party; a changer that aborts leaves the value as it was), FULL (1: it is full at first)
 *
 * What must hold: a value is whole wherever it is used, and taken once; when nothing moves any more, nobody who lives sleeps though it could go on.
 *
 * Seeded mistakes, each must be caught:
 *   -DONEPLACE       one place for both values
 *   -DPUBFIRST       a value is published before it is written
 *   -DPLAINTAKE      what is taken is taken away by a store
 *   -DNOSETTLE       a dead one's claim is taken over without the barrier
 *   -DNORECHECK      the reader does not look again
 *   -DNOCLAIMLOOK    the reader looks at the number again, and not at the claim
 *   -DREADFULL       the reader waits until it is full: a taker takes it first
 *   -DNOLOOK         no second look after the mark
 *   -DLOOKFIRST      who publishes or takes looks at the marks before
 *   -DNOCOMPARE      sleep without comparing the word
 *   -DNODEATHS       sleep on the word alone
 *   -DNOPASSON       who goes without after having slept wakes nobody
 *   -DRELEASESILENT  who leaves the value as it was wakes nobody
 *   -DWAKEONE        one is woken although another is the next
 *   -DNEXTDEAD       who is next is not asked whether it lives
 *   -DNONEXTLOOK     who stands back does not look again whether there is still a next
 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 15
#endif
#ifndef GIVEUP
#define GIVEUP 0
#endif
#ifndef HEIRS
#define HEIRS 0
#endif
#ifndef ABORTS
#define ABORTS 0
#endif
#ifndef FULL
#define FULL 0
#endif
#ifndef K3
#define K3 0
#endif
#ifndef L3
#define L3 1
#endif
#define PUTTER 1
#define TAKER 2
#define CHANGER 3
#define READER 4
#define IS(set) ((set) & (1<<me))
#define WANTFULL (kind!=PUTTER)
#define WORD (kind==PUTTER -> 1 : (kind==READER -> 2 : 0))
#ifdef ONEPLACE
#define AT(n) 0
#else
#define AT(n) ((n)&1)
#endif
#define TAG(n) ((n)*4+me+1)
#define VALUE(x) (number[x]*2+mark[x])
#define SAME (there==sf && num==sn && claimant==sc)
#define MOST 8

bit there=FULL;
byte num=FULL, claimant;              /* 0, party + 1 */
byte first[2], second[2];
byte number[3];
bit mark[3];
byte next[2];
byte deaths, kills;
byte asl[4], on[4];                   /* 1 asleep; on this word */
bit stop[4], died[4], act[4];
/* ghosts */
byte published[MOST], since[4];
bit taken[MOST];

mtype = { FAST, COPYA, COPYB, TAKEIT, DV, LOOK, NEXT, SETTLE, CLAIM, STEP, WRITEA, WRITEB, PUBLISH, READA, READB, WHOLE, EMPTY, FREE,
          BECOME, MARK, AGAIN, AGAIN2, SLEEP, ASLEEP, GIVE, PEEKR, ALLR, PEEK, PNEXT, ADD, WAKE, ALL, OVER, END };
#define ON(x) d_step { pc==x && !stop[me] ->
#define LIVES(c) (c!=0 && !died[(c)-1])
inline useValue(n) { assert(fa==fb && fa==published[n]) }
inline takeValue(n) { useValue(n); assert(!taken[n]); taken[n]=1 }
inline add(w) { if :: mark[w] -> number[w]++; mark[w]=0 :: else -> mark[w]=1 fi;
  if :: asl[0] && on[0]==w -> asl[0]=0 :: else fi; if :: asl[1] && on[1]==w -> asl[1]=0 :: else fi;
  if :: asl[2] && on[2]==w -> asl[2]=0 :: else fi; if :: asl[3] && on[3]==w -> asl[3]=0 :: else fi }
#ifdef LOOKFIRST
#define BEFORE m0=mark[0]; m1=mark[1]; m2=mark[2];
#define MARKED(x) (x==0 -> m0 : (x==1 -> m1 : m2))
#else
#define BEFORE
#define MARKED(x) mark[x]
#endif

proctype Party(byte me; byte kind; byte left) {
  byte sn, sc, dv, val, fa, fb, named, word; bit sf, slept, isNext, going; mtype pc=(kind==READER -> DV : FAST);
#ifdef LOOKFIRST
  bit m0, m1, m2;
#endif
  if :: kind==READER -> since[me]=num :: else fi;
end:
  do
  :: d_step { stop[me] && pc!=END -> act[me]=0; sn=0; sc=0; dv=0; val=0; fa=0; fb=0; named=0; word=0; sf=0; slept=0; isNext=0; going=0; left=0; pc=END }
  /* ---- without a claim ---- */
  :: ON(FAST) sf=there; sn=num; sc=claimant; if :: kind==TAKER && there && claimant==0 -> pc=COPYA :: else -> pc=DV fi }
  :: ON(COPYA) fa=first[AT(sn)]; pc=COPYB }
  :: ON(COPYB) fb=second[AT(sn)]; pc=TAKEIT; BEFORE }
#ifdef PLAINTAKE
  :: ON(TAKEIT) takeValue(sn); there=0; word=1; pc=PEEK }
#else
  :: ON(TAKEIT) if :: SAME -> takeValue(sn); there=0; word=1; pc=PEEK :: else -> pc=DV fi; fa=0; fb=0 }
#endif
  /* ---- claiming ---- */
  :: ON(DV) dv=deaths; named=0; pc=LOOK }
  :: ON(LOOK) sf=there; sn=num; sc=claimant;
       if
       :: kind==READER ->
          if
#ifdef READFULL
          :: there -> pc=READA
#else
          :: there || num!=since[me] -> pc=READA
#endif
          :: else -> pc=MARK
          fi
       :: kind!=READER && there==WANTFULL && !LIVES(claimant) -> pc=NEXT
       :: else -> if :: IS(HEIRS) && slept && !isNext -> pc=BECOME :: else -> pc=MARK fi
       fi }
#ifdef NEXTDEAD
  :: ON(NEXT) if :: !isNext && next[WORD]!=0 -> named=next[WORD]; pc=MARK :: else -> pc=(sc==0 -> CLAIM : SETTLE) fi }
#else
  :: ON(NEXT) if :: !isNext && LIVES(next[WORD]) -> named=next[WORD]; pc=MARK :: else -> pc=(sc==0 -> CLAIM : SETTLE) fi }
#endif
#ifdef NOSETTLE
  :: ON(SETTLE) pc=CLAIM }
#else
  :: d_step { pc==SETTLE && !stop[me] && stop[sc-1] -> pc=CLAIM }
#endif
  :: ON(CLAIM) if :: SAME -> claimant=me+1; sc=me+1; pc=(isNext -> STEP : (kind==PUTTER -> WRITEA : READA)) :: else -> pc=DV fi }
  :: ON(STEP) if :: next[WORD]==me+1 -> next[WORD]=0 :: else fi; isNext=0; pc=(kind==PUTTER -> WRITEA : READA) }
  :: ON(BECOME) if :: !LIVES(next[WORD]) -> next[WORD]=me+1; isNext=1; pc=DV :: else -> pc=MARK fi }
  /* ---- with a claim, or reading ---- */
  :: ON(READA) fa=first[AT(sn)]; pc=READB }
  :: ON(READB) fb=second[AT(sn)]; pc=(kind==READER -> WHOLE : (kind==TAKER -> EMPTY : WRITEA)); BEFORE }
#if defined(NORECHECK)
  :: ON(WHOLE) useValue(sn); pc=OVER; fa=0; fb=0 }
#elif defined(NOCLAIMLOOK)
  :: ON(WHOLE) if :: num==sn || num==sn+1 -> useValue(sn); pc=OVER :: else -> sn=num; pc=READA fi; fa=0; fb=0 }
#else
  :: ON(WHOLE) if :: num==sn || (num==sn+1 && claimant==0) -> useValue(sn); pc=OVER :: else -> sn=num; pc=READA fi; fa=0; fb=0 }
#endif
  :: ON(EMPTY) assert(claimant==me+1 || died[me]); if :: SAME -> takeValue(sn); there=0; claimant=0; word=1; pc=PEEK :: else -> pc=OVER fi; fa=0; fb=0 }
#ifdef PUBFIRST
  :: ON(WRITEA) if :: SAME -> if :: kind==CHANGER -> takeValue(sn) :: else fi; there=1; num++; claimant=0; published[num]=TAG(num) :: else fi; pc=WRITEB }
  :: ON(WRITEB) first[AT(sn+1)]=TAG(sn+1); pc=PUBLISH }
  :: ON(PUBLISH) second[AT(sn+1)]=TAG(sn+1); pc=PEEKR }
#else
  :: d_step { pc==WRITEA && !stop[me] && kind==CHANGER && IS(ABORTS) -> pc=FREE; BEFORE }
  :: ON(FREE) if :: SAME -> claimant=0 :: else fi;
#ifdef RELEASESILENT
       pc=OVER }
#else
       pc=PEEKR }
#endif
  :: ON(WRITEA) first[AT(sn+1)]=TAG(sn+1); pc=WRITEB }
  :: ON(WRITEB) second[AT(sn+1)]=TAG(sn+1); pc=PUBLISH; BEFORE }
  :: ON(PUBLISH) assert(claimant==me+1 || died[me]);
       if
       :: SAME -> if :: kind==CHANGER -> takeValue(sn) :: else fi; there=1; num++; claimant=0; published[num]=TAG(num)
       :: else
       fi; fa=0; fb=0; pc=PEEKR }
#endif
  /* ---- waking ---- */
  :: ON(PEEKR) if :: MARKED(2) -> pc=ALLR :: else -> word=0; pc=PEEK fi }
  :: ON(ALLR) add(2); word=0; pc=PEEK }
  :: ON(PEEK) if :: MARKED(word) -> pc=PNEXT :: else -> pc=OVER fi }
#ifdef WAKEONE
  :: ON(PNEXT) pc=ADD }
#else
  :: ON(PNEXT) if :: LIVES(next[word]) -> pc=ALL :: else -> pc=ADD fi }
#endif
  :: ON(ADD) if :: mark[word] -> number[word]++; pc=WAKE :: else -> pc=OVER fi }
  :: d_step { pc==WAKE && !stop[me] && asl[0] && on[0]==word -> asl[0]=0; pc=OVER }
  :: d_step { pc==WAKE && !stop[me] && asl[1] && on[1]==word -> asl[1]=0; pc=OVER }
  :: d_step { pc==WAKE && !stop[me] && asl[2] && on[2]==word -> asl[2]=0; pc=OVER }
  :: d_step { pc==WAKE && !stop[me] && asl[3] && on[3]==word -> asl[3]=0; pc=OVER }
  :: d_step { pc==WAKE && !stop[me] && !(asl[0] && on[0]==word) && !(asl[1] && on[1]==word) && !(asl[2] && on[2]==word) && !(asl[3] && on[3]==word) -> pc=ALL }
  :: ON(ALL) add(word); pc=OVER }
  /* ---- sleeping ---- */
  :: ON(MARK) mark[WORD]=1; val=VALUE(WORD); pc=AGAIN }
#ifdef NOLOOK
  :: ON(AGAIN) pc=SLEEP }
#else
  :: ON(AGAIN) if :: SAME -> pc=(named==0 -> SLEEP : AGAIN2) :: else -> pc=DV fi }
#endif
#ifdef NONEXTLOOK
  :: ON(AGAIN2) pc=SLEEP }
#else
  :: ON(AGAIN2) if :: next[WORD]==named -> pc=SLEEP :: else -> pc=DV fi }
#endif
  :: ON(SLEEP)
       if
#if defined(NOCOMPARE)
       :: dv==deaths ->
#elif defined(NODEATHS)
       :: val==VALUE(WORD) ->
#else
       :: val==VALUE(WORD) && dv==deaths ->
#endif
          asl[me]=1; on[me]=WORD; pc=ASLEEP
       :: else -> pc=DV
       fi; val=0; dv=0; sn=0; sc=0; sf=0; named=0 }
  :: d_step { pc==SLEEP && !stop[me] && IS(GIVEUP) -> going=1; val=0; dv=0; sn=0; sc=0; sf=0; named=0; pc=GIVE }
  :: d_step { pc==ASLEEP && !stop[me] && asl[me] && IS(GIVEUP) -> going=1; asl[me]=0; slept=1; pc=GIVE }
  :: d_step { pc==ASLEEP && !stop[me] && !asl[me] -> on[me]=0; slept=1; pc=DV }
  :: d_step { pc==ASLEEP && !stop[me] && !asl[me] && IS(GIVEUP) -> on[me]=0; slept=1; going=1; pc=GIVE }
  :: ON(GIVE) on[me]=0; if :: isNext && next[WORD]==me+1 -> next[WORD]=0 :: else fi; isNext=0;
       word=WORD;
#ifdef NOPASSON
       pc=OVER }
#else
       pc=(slept && kind!=READER -> PEEK : OVER) }
#endif
  :: ON(OVER) left--; sn=0; sc=0; sf=0; dv=0; val=0; fa=0; fb=0; named=0; word=0; slept=0;
       if
       :: going || left==0 -> left=0; going=0; act[me]=0; pc=END
       :: else -> if :: kind==READER -> since[me]=num; pc=DV :: else -> pc=FAST fi
       fi }
  od
}
proctype Death(byte p) {
end: atomic { kills<KILLS && act[p] -> kills++ };
  if :: stop[p]=1; died[p]=1 :: died[p]=1; stop[p]=1 fi;
  d_step { asl[p]=0; on[p]=0 };
  deaths++;
  d_step {
#ifndef NODEATHS
    asl[0]=0; asl[1]=0; asl[2]=0; asl[3]=0
#else
    skip
#endif
  }
}
#define FREETO(f) (there==f && !LIVES(claimant))
#define RESTS(p,k) (!asl[p] || died[p] || (k==READER -> (!there && num==since[p]) : (k==PUTTER -> !FREETO(0) : !FREETO(1))))
proctype Judge() {
end: timeout ->
  d_step {
    assert(RESTS(0,K0)); assert(RESTS(1,K1)); assert(RESTS(2,K2)); assert(RESTS(3,K3));
    assert(claimant==0 || died[claimant-1])
  }
}
init { atomic {
  if :: FULL -> published[1]=1; first[AT(1)]=1; second[AT(1)]=1 :: else fi;
  act[0]=1; run Party(0,K0,L0); act[1]=1; run Party(1,K1,L1); act[2]=1; run Party(2,K2,L2);
#if K3
  act[3]=1; run Party(3,K3,L3);
#endif
#if KILLS
  if :: KILLABLE & 1 -> run Death(0) :: else fi; if :: KILLABLE & 2 -> run Death(1) :: else fi;
  if :: KILLABLE & 4 -> run Death(2) :: else fi; if :: (KILLABLE & 8) && K3 -> run Death(3) :: else fi;
#endif
  run Judge() } }
