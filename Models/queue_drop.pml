/* queue_drop: the ring of queue_data with the overflow policy "drop oldest": the sender never waits, it moves `consumed` itself.
 *
 * `consumed` is one word (position, index of the progress entry in force), changed by compare-exchange only.  Entries 0 and 1 are
 * the receiver's, 2 and 3 the sender's; each writes only one of its own two that `consumed` does not name, and then exchanges.
 * What was read between reading `consumed` and a compare-exchange from that very value is true; all else is thrown away.
 *
 * Memory is words, as in queue_data: A is one word, a record is a header word and 1 or 2 words of payload.  Payload words are
 * taken for headers of any number: no check of a header tells them from one.  Headers of other numbers are told ("damage").
 * A private copy is one bit: whether it is whole.  Senders 0 and 1, receivers 2 and 3; the second of a side joins when the first
 * has closed or died.  Every party has its own store buffer, from which its own loads are served; a compare-exchange waits until
 * it is empty.  Loads are in program order.  A skip passes over any number of records, at least one.  Left out: waiting (see
 * queue_wait), endings, control records, batches and repair (see queue_data, peers); that the receiver gets its turn at last.
 *
 * A kill marks the party; then, in either order, its life word becomes DIED and its thread stops; between the two it runs on.
 * Whoever joins after a death calls membarrier first, as in queue_data.  (-DPROMPT: DIED only after both.)
 *
 *   bounds        MSGS messages in all, CAP words of ring, KILLS kills exactly (if there is somebody to kill), KILLABLE (bit per
 *                 party), SECOND (1: a second sender, 2: a second receiver), SBN entries in each store buffer, EARLY (1: the first
 *                 sender may close after any message, 2: the first receiver at any time), FAILS failures in a row before a skip
 *   -DWEAK        plain stores overtake others on their way to memory; release stores wait for all before them.  The store of a
 *                 compare-exchange is one of these: later plain stores overtake it, and until it lands others load the old
 *                 value, but compare nothing with it
 *
 * What must hold: a message received is whole and the one that the entry in force foretold; numbers grow; none is received twice;
 * at every moment the entry in force is true (sequence == received + dropped); the sender drops what it must and no more; empty
 * is told only of an empty queue, damage never; a second sender finds the tail.
 *
 * Seeded mistakes, each must be caught:
 *   -DPLAINTAKE      the receiver stores consumed, it does not compare
 *   -DPLAINDROP      the sender does
 *   -DOVERWRITEFIRST the sender overwrites the oldest records before its compare-exchange
 *   -DONEENTRY       each side has one entry, overwritten also when it is in force
 *   -DNONAME         consumed is a position only; the entry in force is the first whose position equals it
 *   -DNORECHECKEMPTY the header 0 is believed, consumed not looked at again
 *   -DNORECHECKBAD   a header of another number is called damage, consumed not looked at again
 *   -DSEQLATE        the sequence is read after that second look (as loads may be, if nothing orders them)
 *   -DCOPYLATE       the payload is copied after the compare-exchange
 *   -DUSEBEFORE      the private copy is used even if the compare-exchange fails
 *   -DENTRYLATE      the entry is written after the compare-exchange
 *   -DGREEDY         the sender drops one record more than it must
 *   -DNOJOINRECHECK  a joining sender does not look at consumed again after reading the entry
 *   -DNOKILLBARRIER  who joins after a death does not call membarrier (with -DPROMPT it holds)
 *   -DDROPFENCE      with WEAK: no fence between the sender's compare-exchange and its overwriting (without, it holds)
 *   -DTAKEFENCE      with WEAK: no fence between the receiver's compare-exchange and its next entry (without, it holds)
 *   -DPLAINHDR       with WEAK: the header is a plain store
 *   -DPLAINCAS       with WEAK: the compare-exchange does not release: plain stores before it may land after it
 */
#ifndef MSGS
#define MSGS 4
#endif
#ifndef CAP
#define CAP 5
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef SECOND
#define SECOND 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef SBN
#define SBN 2
#endif
#ifndef FAILS
#define FAILS 2
#endif
#define HDR(q,n) (128|((q)<<3)|(n))
#define WORD(q,k) (192|((q)<<3)|(3-(k)))       /* word k of the payload of message q */
#define OTHER(h,q) ((h)!=0 && !((h)&64) && ((h)&56)!=((q)<<3))

/* ---- memory: 0.. ring, then consumed, then sequence, dropped (and position, NONAME only) of the four entries ---- */
#define CONSUMED 8
#define SEQ 12
#define DROPPED 16
#define POS 20
byte mem[24];
#define POSITION(c) ((c)>>2)
#ifdef NONAME
#define PLACE(x,e) ((x)<<2)
#define ENTRY(c) (mem[POS]==POSITION(c) -> 0 : (mem[POS+1]==POSITION(c) -> 1 : (mem[POS+2]==POSITION(c) -> 2 : 3)))
#else
#define PLACE(x,e) (((x)<<2)|(e))
#define ENTRY(c) ((c)&3)
#endif

byte sP, rP;                                   /* role words: party + 1; 0: nobody */
bit  sS, rS;                                   /* the first has joined */
bit  doomed[4], died[4], stop[4], on[4], out[4];
byte kills;
byte tail, pub, first[MSGS+1];                 /* ghosts: end of what is published, messages in it, where each begins */
byte gone, gdropped, last;                     /* ghosts: messages taken or dropped, dropped, last number received */
#define TRUE_ENTRY assert(mem[SEQ+ENTRY(mem[CONSUMED])]==gone && mem[DROPPED+ENTRY(mem[CONSUMED])]==gdropped)

/* ---- store buffers ---- */
byte ba[4*SBN], bv[4*SBN], bn[4];
#ifdef WEAK
bit  pending;                                  /* the store of a compare-exchange is in a buffer */
#endif
#define HEAD 32                                /* the header that publishes */
#define TAKE 64                                /* consumed moved by one message received */
#define REL 128                                /* a release store */
#define ADDRESS(a) ((a)&31)
inline apply(a,v) {
  if
  :: ADDRESS(a)==CONSUMED ->
     assert(POSITION(v)>POSITION(mem[CONSUMED]));
     g=gone;
     do
     :: gone<pub && first[gone+1]<POSITION(v) -> first[gone]=0; gone++
     :: else -> break
     od;
     assert(gone<pub || POSITION(v)==tail); assert(gone==pub || POSITION(v)==first[gone+1]);
     if :: (a)&TAKE -> assert(gone==g+1) :: else -> gdropped=gdropped+gone-g fi;
     g=0; mem[CONSUMED]=v; TRUE_ENTRY;
#ifdef WEAK
     pending=0
#endif
  :: ADDRESS(a)<CONSUMED ->
     mem[ADDRESS(a)]=v;
     if
     :: (a)&HEAD -> assert(ADDRESS(a)==tail%CAP && v==HDR(pub+1,v&7)); pub++; first[pub]=tail; tail=tail+1+(v&7)
     :: else
     fi
  :: else -> mem[ADDRESS(a)]=v; TRUE_ENTRY
  fi
}
inline leave(x,i) {
  j=i;
  do
  :: j+1<bn[x] -> ba[SBN*x+j]=ba[SBN*x+j+1]; bv[SBN*x+j]=bv[SBN*x+j+1]; j++
  :: else -> break
  od;
  bn[x]--; ba[SBN*x+bn[x]]=0; bv[SBN*x+bn[x]]=0; j=0
}
#define DIFFER(x,i,k) (ADDRESS(ba[SBN*x+i])!=ADDRESS(ba[SBN*x+k]))
proctype Flusher(byte x) {
  byte j, g, a, v;
end:
  do
  :: d_step { bn[x]>0 -> a=ba[SBN*x]; v=bv[SBN*x]; leave(x,0); apply(a,v); a=0; v=0 }
#ifdef WEAK
  :: d_step { bn[x]>1 && !(ba[SBN*x+1]&REL) && DIFFER(x,1,0) ->
       a=ba[SBN*x+1]; v=bv[SBN*x+1]; leave(x,1); apply(a,v); a=0; v=0 }
#if SBN>2
  :: d_step { bn[x]>2 && !(ba[SBN*x+2]&REL) && DIFFER(x,2,0) && DIFFER(x,2,1) ->
       a=ba[SBN*x+2]; v=bv[SBN*x+2]; leave(x,2); apply(a,v); a=0; v=0 }
#endif
#endif
  od
}
#define ROOMSB (bn[me]<SBN)
#define PUT(a,v) ba[SBN*me+bn[me]]=a; bv[SBN*me+bn[me]]=v; bn[me]++
#define ST(a,v) atomic { ROOMSB -> PUT(a,v) }
/* a load: the newest store to that place in one's own buffer, else memory; inside a d_step */
inline load(to,a) {
  j=bn[me];
  do
  :: j>0 && ADDRESS(ba[SBN*me+j-1])!=(a) -> j--
  :: else -> break
  od;
  if :: j>0 -> to=bv[SBN*me+j-1] :: else -> to=mem[a] fi;
  j=0
}
#define LD(to,a) d_step { load(to,a) }
#ifdef PLAINHDR
#define HREL 0
#else
#define HREL REL
#endif
#ifdef PLAINCAS
#define CREL 0
#else
#define CREL REL
#endif
#ifdef WEAK
#define FENCE (bn[me]==0);
inline exchange(old,new,flag) {
  d_step { ROOMSB && !pending ->
    if :: mem[CONSUMED]==old -> PUT(CONSUMED|CREL|flag,new); pending=1; won=1 :: else -> won=0 fi }
}
#else
#define FENCE
inline exchange(old,new,flag) {
  d_step { bn[me]==0 -> if :: mem[CONSUMED]==old -> apply(CONSUMED|flag,new); won=1 :: else -> won=0 fi }
}
#endif
inline plain(new,flag) { d_step { ROOMSB -> PUT(CONSUMED|REL|flag,new); won=1 } }
inline entry(e,sq,dr,ps) {
  ST(SEQ+e, sq);
  ST(DROPPED+e, dr);
#ifdef NONAME
  ST(POS+e, ps);
#endif
}
#ifdef NOKILLBARRIER
#define MEMBARRIER(d) true
#else
#define MEMBARRIER(d) (bn[d]==0 && stop[d])
#endif
/* of own entries a and a+1 the one that is not in force */
#ifdef ONEENTRY
#define FREE(i,a) (a)
#else
#define FREE(i,a) ((i)==(a) -> (a)+1 : (a))
#endif

inline overwrite() {
  ST(((p+1)%CAP), WORD(q+1,1));
  if :: n==2 -> ST(((p+2)%CAP), WORD(q+1,2)) :: else fi;
  ST(((p+1+n)%CAP), 0)
}
#define FITS(x) (p+1+n+1 <= (x)+CAP)
proctype Sender(byte me) {
  byte p, q, n, c, i, s, d, x, y, k, h, j, g; bit won;
  {
  skip;
  /* ---- join ---- */
end_join:
  if
  :: atomic { me==0 -> sP=1; sS=1; on[me]=1 }
  :: me==1 ->
end_join2:
     if
     :: atomic { sS && sP==0 -> sP=2; on[me]=1 }
     :: sP!=0 && died[0] -> MEMBARRIER(0); atomic { sP=2; on[me]=1 }
     fi;
     /* ---- find the tail: nobody overwrites while there is no sender, so that the walk itself needs no second look ---- */
     do
     :: LD(c,CONSUMED);
        LD(q,SEQ+ENTRY(c));
#ifdef NOJOINRECHECK
        break;
#else
        if :: mem[CONSUMED]==c -> break :: else fi;
#endif
     od;
     p=POSITION(c);
     do
     :: d_step { mem[p%CAP]!=0 -> h=mem[p%CAP]; assert(!OTHER(h,q+1) && !(h&64)); p=p+1+(h&7); q++; h=0 }
     :: d_step { mem[p%CAP]==0 -> c=0; assert(p==tail && q==pub) }; break
     od
  fi;
  /* ---- messages ---- */
  do
  :: q<MSGS ->
     if :: n=1 :: n=2 fi;
     do
     :: LD(c,CONSUMED);
        if
        :: FITS(POSITION(c)) ->
#ifdef OVERWRITEFIRST
           overwrite();
#endif
           break
        :: else
        fi;
        /* ---- no room: drop the oldest ---- */
        d_step { i=ENTRY(c); load(s,SEQ+i) };
        LD(d,DROPPED+i);
        d_step {                               /* one's own stores, or a dead sender's, which have landed */
          x=POSITION(c); k=0;
          do
          :: !FITS(x) -> load(h,x%CAP); y=x; x=x+1+(h&7); k++
          :: else -> break
          od;
#ifdef GREEDY
          load(h,x%CAP);
          if :: h!=0 -> y=x; x=x+1+(h&7); k++ :: else fi;
#endif
          h=0; i=FREE(i,2) };
#ifndef ENTRYLATE
        entry(i,s+k,d+k,x);
#endif
#ifdef OVERWRITEFIRST
        overwrite();
#endif
#ifdef PLAINDROP
        plain(PLACE(x,i), 0);
#else
        atomic { exchange(c, PLACE(x,i), 0); assert(!won || !FITS(y)) };
#endif
#ifdef ENTRYLATE
        if :: won -> entry(i,s+k,d+k,x) :: else fi;
#endif
        d_step { s=0; d=0; k=0; i=0; x=0; y=0 };
        if
        :: won ->
           won=0;
#ifndef DROPFENCE
           FENCE
#endif
           break
        :: else
        fi
     od;
#ifndef OVERWRITEFIRST
     overwrite();
#endif
     ST((p%CAP)|HREL|HEAD, HDR(q+1,n));
     d_step { p=p+1+n; q++; n=0; c=0 }
  :: q==MSGS || ((EARLY&1) && me==0 && q>0) -> break
  od;
  atomic { bn[me]==0 -> sP=0 };                /* close */
  goto over
  } unless { stop[me] };
over:
  atomic { out[me]=1; p=0; q=0; n=0; c=0; i=0; s=0; d=0; x=0; y=0; k=0; h=0; won=0 }
}

#define NEXT(x) (x)+1+(h&7)
proctype Receiver(byte me) {
  byte c, i, s, d, x, k, h, f, j, g; bit e, whole, won;
  {
  skip;
  /* ---- join ---- */
end_join:
  if
  :: atomic { me==2 -> rP=3; rS=1; on[me]=1 }
  :: me==3 ->
end_join2:
     if
     :: atomic { rS && rP==0 -> rP=4; on[me]=1 }
     :: rP!=0 && died[2] -> MEMBARRIER(2); atomic { rP=4; on[me]=1 }
     fi
  fi;
  do
  :: (EARLY&2) && me==2 -> atomic { bn[me]==0 -> rP=0 }; break               /* close */
  :: LD(c,CONSUMED);
     d_step { i=ENTRY(c); load(s,SEQ+i) };
     d_step { load(d,DROPPED+i); x=POSITION(c) };
     if
     :: f==FAILS ->
        /* ---- skip ---- */
        do
        :: LD(h,x%CAP);
           if
           :: h==0 || NEXT(x)>POSITION(c)+CAP -> break
           :: else -> d_step { x=NEXT(x); k++ }
           fi
        :: k>0 -> break
        od;
        if :: k==0 -> goto again :: else -> d_step { s=s+k; d=d+k; i=FREE(i,0); h=0 } fi
     :: d_step { load(h,POSITION(c)%CAP); e=(tail==POSITION(c)) };
#ifdef SEQLATE
        LD(x,CONSUMED); LD(s,SEQ+i);
#endif
        if
        :: h==0 ->
#ifndef NORECHECKEMPTY
           LD(x,CONSUMED); if :: x!=c -> goto again :: else fi;
#endif
           d_step { assert(e); i=0; s=0; d=0; e=0; f=0 };
end_empty: (mem[POSITION(c)%CAP]!=0 || mem[CONSUMED]!=c);
           goto again
        :: OTHER(h,s+1) ->
#ifndef NORECHECKBAD
#ifndef SEQLATE
           LD(x,CONSUMED);
#endif
           if :: x!=c -> goto again :: else fi;
#endif
           assert(false);                                                    /* damage */
           goto again
        :: else
        fi;
        d_step { s++; i=FREE(i,0); e=0; whole=(mem[(POSITION(c)+1)%CAP]==WORD(s,1)); x=NEXT(POSITION(c)) };
        if :: (h&7)==2 -> d_step { whole=(whole && mem[(POSITION(c)+2)%CAP]==WORD(s,2)); h=0 } :: else -> h=0 fi
     fi;
#ifndef TAKEFENCE
     FENCE
#endif
#ifndef ENTRYLATE
     entry(i,s,d,x);
#endif
     atomic {
#ifdef PLAINTAKE
       plain(PLACE(x,i), (k==0 -> TAKE : 0));
#else
       exchange(c, PLACE(x,i), (k==0 -> TAKE : 0));
#endif
       if
       :: k>0 && won
#ifdef USEBEFORE
       :: k==0 ->
#else
       :: k==0 && won ->
#endif
#ifndef COPYLATE
          assert(whole);
#endif
          assert(s>last); last=s
       :: else
       fi };
#ifdef COPYLATE
     if :: won && k==0 -> assert(mem[(POSITION(c)+1)%CAP]==WORD(s,1)) :: else fi;
#endif
#ifdef ENTRYLATE
     if :: won -> entry(i,s,d,x) :: else fi;
#endif
     if :: won -> f=0 :: !won && f<FAILS -> f++ :: else fi;
again:
     atomic { c=0; i=0; s=0; d=0; x=0; k=0; h=0; e=0; whole=0; won=0 }
  od;
  goto over
  } unless { stop[me] };
over:
  atomic { out[me]=1; c=0; i=0; s=0; d=0; x=0; k=0; h=0; f=0; e=0; whole=0; won=0 }
}
proctype Killer() {
end:
  do
  :: d_step { kills<KILLS && (KILLABLE & 1) && on[0] && !out[0] && !doomed[0] -> kills++; doomed[0]=1 }
  :: d_step { kills<KILLS && (KILLABLE & 2) && on[1] && !out[1] && !doomed[1] -> kills++; doomed[1]=1 }
  :: d_step { kills<KILLS && (KILLABLE & 4) && on[2] && !out[2] && !doomed[2] -> kills++; doomed[2]=1 }
  :: d_step { kills<KILLS && (KILLABLE & 8) && on[3] && !out[3] && !doomed[3] -> kills++; doomed[3]=1 }
  od
}
#ifdef PROMPT
#define MAYDIE(x) (out[x] && bn[x]==0)
#else
#define MAYDIE(x) true
#endif
proctype Kernel(byte x) {
end:
  do
  :: doomed[x] && !stop[x] -> stop[x]=1
  :: doomed[x] && !died[x] && MAYDIE(x) -> died[x]=1
  od
}
proctype Monitor() {
  timeout ->
  d_step {
    if :: rP!=0 && !doomed[rP-1] -> assert(POSITION(mem[CONSUMED])==tail && gone==pub) :: else fi;
    assert(sP==0 || doomed[sP-1]);
    assert(pub==MSGS || (sP!=0 && doomed[sP-1]) || ((EARLY&1) && !on[1]))
  }
}
init { atomic {
#ifdef NONAME
  mem[POS+1]=255; mem[POS+2]=255; mem[POS+3]=255;
#endif
  run Sender(0); run Receiver(2); run Flusher(0); run Flusher(2); run Kernel(0); run Kernel(2);
  if :: SECOND & 1 -> run Sender(1); run Flusher(1); run Kernel(1) :: else fi;
  if :: SECOND & 2 -> run Receiver(3); run Flusher(3); run Kernel(3) :: else fi;
  run Killer(); run Monitor() } }
