/* queue_data: the ring, the progress entries, the roles and the endings of decision 0001.
 *
 * Memory is words; A is one word, so a record is a header word and 1 or 2 words of payload, and CAP = 5 words lets headers
 * fall on old payload.  Payload words are made to look like headers.  Senders 0 and 1, receivers 2 and 3; the second of a side
 * joins when the first has closed or died.  Every party has its own store buffer.  Waiting is abstract here: see queue_wait.
 *
 * A kill marks the party; then, in either order, its life word becomes DIED (the keeper is another thread) and its thread stops.
 * Between the two it runs on, and its store buffer drains when it likes.  Whoever acts on DIED calls membarrier first: after
 * it, the dead peer's threads are out of user mode and their stores have landed.  (-DPROMPT: DIED only after both.)
 *
 *   bounds        MSGS messages in all, KILLS kills exactly (if there is somebody to kill), KILLABLE (bit per party),
 *                 SECOND (1: a second sender, 2: a second receiver), SBN entries in each store buffer,
 *                 EARLY (1: the first sender may close after one message)
 *   -DBATCH       a record of two words is a batch of two messages
 *   -DWEAK        plain stores overtake others on their way to memory, release stores wait for all before them
 *
 * Seeded mistakes, each must be caught:
 *   -DHDRFIRST      the header is stored before the payload
 *   -DNOZERO        no zero in the next header
 *   -DZEROLATE      the zero is stored after the header
 *   -DNOROOM        the room for the next header is not counted
 *   -DCONSFIRST     consumed is stored before the payload is read
 *   -DENTRYLATE     consumed is stored before the progress entry
 *   -DINFORCE       the progress entry in force is overwritten
 *   -DBOTHZERO      both progress entries are 0 in a new queue, and sender and receiver do not try them in the same order
 *   -DNORECHECK     a joining sender does not look at consumed again after reading the entry
 *   -DNOKILLBARRIER who acts on DIED does not call membarrier (with -DPROMPT it holds)
 *   -DNOHIST        the sender word keeps the ending of the last session only
 *   -DCTLORDER      of a control record, consumed is stored before reported
 *   -DNOREPORTED    `reported` is not looked at
 *   -DNODRAIN       the ending is told without looking at the ring again
 *   -DNOREST        with BATCH: a joining sender does not count what is left of a batch that the receiver is in
 *   -DPLAINHDR      with WEAK: the header is a plain store
 *   -DPLAINENTRY    with WEAK: the progress entry is written with plain stores
 */
#ifndef MSGS
#define MSGS 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef SECOND
#define SECOND 3
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef SBN
#define SBN 2
#endif
#define CAP 5
#define CTL 64
#define HDR(q,n) (128|(((q)&7)<<3)|(n))
#define WORD(q) HDR(q,1)                       /* payload of message q */
#define CLOSED 1
#define DEAD 2

byte mem[CAP], consumed, reported;
byte ppos[2], pseq[2], prem[2];                /* progress entries */
byte sP, sS, sH, rP, rS;                       /* role words: party + 1, session, endings (two bits a session, newest low) */
bit  doomed[4], died[4], stop[4], on[4], out[4];
byte kills;
byte tail, pub, gcon, gseq;                    /* ghosts: published, consumed */
byte kind[4], lastq[4], sess[8]; bit told[4];  /* ghosts of sessions; session of each message */

/* ---- store buffers: address 0.. ring, 8 consumed, 9 reported, 10/11 pos, 12/13 seq, 14/15 remaining ---- */
byte ba[4*SBN], bv[4*SBN], bn[4];
#define CONSUMED 8
#define REPORTED 9
#define REL 64                                 /* a release store */
inline apply(a,v) {
  if
  :: (a&15)<CAP -> mem[a&15]=v
  :: (a&15)==CONSUMED -> consumed=v
  :: (a&15)==REPORTED -> reported=v
  :: (a&15)>=10 && (a&15)<12 -> ppos[(a&15)-10]=v
  :: (a&15)>=12 && (a&15)<14 -> pseq[(a&15)-12]=v
  :: (a&15)>=14 -> prem[(a&15)-14]=v
  fi
}
inline drop(x,i) {
  j=i;
  do
  :: j+1<bn[x] -> ba[SBN*x+j]=ba[SBN*x+j+1]; bv[SBN*x+j]=bv[SBN*x+j+1]; j++
  :: else -> break
  od;
  bn[x]--; ba[SBN*x+bn[x]]=0; bv[SBN*x+bn[x]]=0; j=0
}
proctype Flusher(byte x) {
  byte j;
end:
  do
  :: d_step { bn[x]>0 -> apply(ba[SBN*x],bv[SBN*x]); drop(x,0) }
#ifdef WEAK
  :: d_step { bn[x]>1 && !(ba[SBN*x+1]&REL) && (ba[SBN*x+1]&15)!=(ba[SBN*x]&15) ->
       apply(ba[SBN*x+1],bv[SBN*x+1]); drop(x,1) }
#if SBN>2
  :: d_step { bn[x]>2 && !(ba[SBN*x+2]&REL) && (ba[SBN*x+2]&15)!=(ba[SBN*x]&15) && (ba[SBN*x+2]&15)!=(ba[SBN*x+1]&15) ->
       apply(ba[SBN*x+2],bv[SBN*x+2]); drop(x,2) }
#endif
#endif
  od
}
#define ROOMSB (bn[me]<SBN)
#define PUT(a,v) ba[SBN*me+bn[me]]=a; bv[SBN*me+bn[me]]=v; bn[me]++
#define ST(a,v) atomic { ROOMSB -> PUT(a,v) }
#ifdef NOKILLBARRIER
#define MEMBARRIER(d) true
#else
#define MEMBARRIER(d) (bn[d]==0 && stop[d])    /* own buffer: nothing in it matters yet */
#endif
#ifdef PLAINHDR
#define HREL 0
#else
#define HREL REL
#endif
#ifdef PLAINENTRY
#define EREL 0
#else
#define EREL REL
#endif
#ifdef BATCH
#define COUNT(n) (n)
#else
#define COUNT(n) 1
#endif
#ifdef NOROOM
#define FITS(n) (p+1+(n) <= consumed+CAP)
#else
#define FITS(n) (p+1+(n)+1 <= consumed+CAP)
#endif

/* the header's store is the publication */
inline publishHeader(h, nq) {
  atomic { ROOMSB -> PUT((p%CAP)|HREL, h);
    assert(!told[s]); tail=p+1+n; lastq[s]=nq;
    if :: nq>pub -> sess[pub+1]=s; sess[nq]=s :: else fi; pub=nq }
}
proctype Sender(byte me) {
  byte p, q, c, h, n, s, d, i;
  {
  skip;
  /* ---- join ---- */
end_join:
  do
  :: atomic { sP==0 && (me==0 || sS>0) -> sP=me+1; sS++; s=sS; sH=(sH<<2)&63; on[me]=1; break }
  :: atomic { sP!=0 && sP!=me+1 && died[sP-1] -> d=sP };
     MEMBARRIER(d-1);
     atomic { if :: sP==d -> sP=me+1; assert(kind[sS]==0 || kind[sS]==DEAD); kind[sS]=DEAD; sS++; s=sS; sH=((sH|DEAD)<<2)&63; d=0; on[me]=1; break
                 :: else -> d=0 fi }
  od;
    /* ---- find the tail ---- */
  if
  :: s==1
  :: else ->
     do
     :: c=consumed;
#ifdef BOTHZERO
#define FIRST 0
#else
#define FIRST 1
#endif
        if
        :: atomic { ppos[FIRST]==c -> i=FIRST }
        :: atomic { ppos[FIRST]!=c -> i=1-FIRST }; if :: ppos[i]==c :: else -> goto retry fi
        fi;
        q=pseq[i];
#if defined(BATCH) && !defined(NOREST)
        d_step { p=c+prem[i]; q=q+prem[i] };
#else
        p=c+prem[i];
#endif
#ifdef NORECHECK
        break;
#else
        if :: consumed==c -> break :: else fi;
#endif
retry:  skip
     od;
     do
     :: atomic { mem[p%CAP]!=0 -> h=mem[p%CAP]; p=p+1+(h&7); if :: !(h&CTL) -> q=q+COUNT(h&7) :: else fi; h=0 }
     :: atomic { mem[p%CAP]==0 -> d_step { i=0; c=0; assert(p==tail && q==pub) }; break }
     od;
     /* ---- the control record: this session's number, and how the ones before it ended ---- */
     n=1;
     FITS(1);
     ST(((p+1)%CAP), 128|(s<<4)|((sH>>2)&15));
     ST(((p+2)%CAP), 0);
     publishHeader(HDR(0,1)|CTL, pub);
     p=p+2
  fi;
  /* ---- messages ---- */
  do
  :: q<MSGS ->
     if :: n=1 :: (q+COUNT(2))<=MSGS -> n=2 fi;
     FITS(n);
#ifdef HDRFIRST
     publishHeader(HDR(q+1,n), q+COUNT(n));
#endif
     ST(((p+1)%CAP), WORD(q+1));
     if :: n==2 -> ST(((p+2)%CAP), WORD(q+COUNT(2))) :: else fi;
#if !defined(NOZERO) && !defined(ZEROLATE)
     ST(((p+1+n)%CAP), 0);
#endif
#ifndef HDRFIRST
     publishHeader(HDR(q+1,n), q+COUNT(n));
#endif
#ifdef ZEROLATE
     ST(((p+1+n)%CAP), 0);
#endif
     d_step { p=p+1+n; q=q+COUNT(n); n=0 }
  :: q==MSGS || (EARLY && me==0 && q==1) -> break
  od;
  atomic { bn[me]==0 && sP==me+1 -> sP=0; sH=sH|CLOSED;                /* close: one CAS */
           assert(kind[s]==0 && !told[s]); kind[s]=CLOSED };
  goto gone
  } unless { stop[me] };
gone:
  atomic { out[me]=1; p=0; q=0; c=0; h=0; n=0; s=0; d=0; i=0 }
}

/* tell the endings of the sessions after `told up to` (rep) up to e, whose kinds are k */
inline tell(e, k) {
  d_step {
    i=e;
    do
    :: i>rep -> assert(!told[i]);
#ifdef NOHIST
       if :: i==e -> assert((k&3)==kind[i]); told[i]=1 :: else fi;
#else
       assert(((k>>(2*(e-i)))&3)==kind[i]); told[i]=1;
#endif
       assert(gseq>=lastq[i] || kind[i]==0);
       i--
    :: else -> break
    od;
    skip; i=0; rep=e
  }
}
#define ENDING (sS>rep && (sP==0 || died[sP-1]))
proctype Receiver(byte me) {
  byte c, q, rem, rep, h, n, e, k, d, i, t; bit f;
  {
  skip;
  /* ---- join ---- */
end_join:
  do
  :: atomic { rP==0 && (me==2 || rS>0) -> rP=me+1; rS++; on[me]=1; break }
  :: atomic { rP!=0 && rP!=me+1 && died[rP-1] -> d=rP };
     MEMBARRIER(d-1);
     atomic { if :: rP==d -> rP=me+1; rS++; d=0; on[me]=1; break :: else -> d=0 fi }
  od;
  skip;
  d_step {
    c=consumed;
#ifndef NOREPORTED
    rep=reported;
#endif
    assert(ppos[0]==c || ppos[1]==c);
    if :: ppos[1]==c -> f=1 :: else -> f=0 fi;
    q=pseq[f]; rem=prem[f];
    assert(c==gcon && q==gseq) };
loop:
  if
  :: rem==0 ->
     h=mem[c%CAP];
     if
     :: h==0 ->
        /* ---- empty: has the sender ended? ---- */
        atomic { d=sP; e=sS; k=sH };
        atomic {
          if
          :: e<=rep || (d!=0 && !died[d-1]) -> e=0
          :: e>rep && d==0
          :: e>rep && d!=0 && died[d-1] ->
             MEMBARRIER(d-1);
             if :: sP==d && sS==e -> k=k|DEAD :: else -> e=0 fi
          fi; d=0 };
        if
        :: e==0 ->
           k=0;
end_empty: (mem[c%CAP]!=0 || ENDING)
        :: else ->
#ifndef NODRAIN
           if :: mem[c%CAP]!=0 -> e=0 :: else fi;
#endif
           if
           :: e!=0 -> atomic { ROOMSB -> if :: kind[e]==0 -> kind[e]=DEAD :: else fi; tell(e,k); PUT(REPORTED|REL, e) }
           :: else
           fi;
           d_step { e=0; k=0 }
        fi;
        goto loop
     :: else
     fi;
     if
     :: h&CTL ->
        /* ---- a control record ---- */
        d_step { t=mem[(c+1)%CAP]; assert((h&63)==1); e=((t>>4)&7)-1; k=t&15; h=0; t=0; c=c+2;
                 assert(c<=tail) };
#ifndef CTLORDER
        if :: e>rep -> atomic { ROOMSB -> tell(e,k); PUT(REPORTED|REL, e) } :: else fi;
        d_step { e=0; k=0 };
#endif
        goto store
     :: else
     fi;
     d_step { assert((h&56)==(((q+1)&7)<<3)); n=h&7; h=0; assert(c<tail); c++ };
#ifdef BATCH
     d_step { rem=n; n=0 }
#endif
  :: else
  fi;
#ifdef BATCH
#define SIZE 1
#else
#define SIZE n
#endif
#ifdef CONSFIRST
  ST(CONSUMED|REL, c+SIZE);
#endif
  d_step { t=mem[c%CAP]; assert(t==WORD(q+1)); t=0; assert(rep+1>=sess[q+1]); assert(q<pub) };
#ifdef BATCH
  d_step { c++; q++; rem-- };
#else
  if :: n==2 -> d_step { t=mem[(c+1)%CAP]; assert(t==WORD(q+1)); t=0 } :: else fi;
  d_step { c=c+n; q++; n=0 };
#endif
store:
#ifndef INFORCE
  f=1-f;
#endif
#ifdef ENTRYLATE
  atomic { ROOMSB -> PUT(CONSUMED|REL, c); gcon=c; gseq=q };
#endif
  ST((12+f)|EREL, q);
#ifdef BATCH
  ST((14+f)|EREL, rem);
#endif
  ST((10+f)|EREL, c);
#ifndef ENTRYLATE
  atomic { ROOMSB -> PUT(CONSUMED|REL, c); gcon=c; gseq=q };
#endif
#ifdef CTLORDER
  if :: e>rep -> atomic { ROOMSB -> tell(e,k); PUT(REPORTED|REL, e) } :: else fi;
  d_step { e=0; k=0 };
#endif
  goto loop
  } unless { stop[me] };
  atomic { out[me]=1; c=0; q=0; rem=0; rep=0; h=0; n=0; e=0; k=0; d=0; i=0; t=0; f=0 }
}
/* recovery, by any survivor: {dead, s} -> {0, s, died} */
proctype Keeper() {
  byte d;
end:
  do
  :: atomic { sP!=0 && died[sP-1] -> d=sP };
     MEMBARRIER(d-1);
     atomic { if :: sP==d -> sP=0; sH=sH|DEAD; assert(kind[sS]!=CLOSED); kind[sS]=DEAD :: else fi; d=0 }
  :: atomic { rP!=0 && died[rP-1] -> d=rP };
     MEMBARRIER(d-1);
     atomic { if :: rP==d -> rP=0 :: else fi; d=0 }
  od
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
    if
    :: rP!=0 && !doomed[rP-1] ->
       assert(gcon==tail && gseq==pub);
       assert(sP!=0 || reported==sS);
       assert(sP!=0 || sS<1 || told[1]); assert(sP!=0 || sS<2 || told[2]); assert(sP!=0 || sS<3 || told[3])
    :: else
    fi;
    if :: sP!=0 -> assert(!doomed[sP-1]); assert(rP==0 || doomed[rP-1]) :: else fi
  }
}
init { atomic {
#ifdef BOTHZERO
  ppos[1]=0;
#else
  ppos[1]=255;
#endif
  run Sender(0); run Receiver(2); run Flusher(0); run Flusher(2); run Kernel(0); run Kernel(2);
  if :: SECOND & 1 -> run Sender(1); run Flusher(1); run Kernel(1) :: else fi;
  if :: SECOND & 2 -> run Receiver(3); run Flusher(3); run Kernel(3) :: else fi;
  run Keeper(); run Killer(); run Monitor() } }
