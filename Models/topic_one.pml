/* topic_one: the one publisher of a topic, its store buffer, holds, joining, deaths and the next publisher (decision 0009, "One publisher").
 *
 * CHUNKS chunks and a log of N entries (lap and chunk; or empty).  Publishers 0, 1 and 4, one at a time, each with a claim; subscribers 2 and 3, lossy or lossless.  A publisher claims, reads the log, then for each
 * message takes a free chunk; if there is none it fences and looks at all holds: retired chunks that nobody holds are free.  It fills the chunk, looks at the gate, stores the entry.  The store goes into its store buffer,
 * of B entries, and into memory later (Drain); the loads of the gate do not wait for that.
 * A lossy subscriber holds the chunk (a store and a fence), looks at the entry again, reads, lets go.  A lossless one joins at some time (provisional cursor, claim, count of joins, barrier, true tail, cursor), and reads in
 * place, or holds the message before it stores its cursor.
 * SIGKILL before any statement of whoever is KILLABLE: what it has stored comes into memory still, later.  The repairer waits for that, lets go of what the dead one held, and frees its claim; the next publisher may
 * take the claim over before.  The repairer may be killed (RKILLS): another begins anew.
 *
 * Abstract here: waiting (topic_wait, queue_wait); writing a message is two steps, reading the log is one for a publisher, since nobody else writes there (NOSETTLE and ALIVE show what if).
 *
 *   bounds        N, B, CHUNKS, M0, M1 and M4 (messages of each publisher), K2 and K3 (subscribers: 0 none, 1 lossy, 2 lossless), KILLS, KILLABLE (bit per party), RKILLS
 *   -DHISTORY     a lossless subscriber begins with the oldest that it can have, not with the tail
 *   -DCOPY        a lossy subscriber copies, and looks at the entry again, without a hold
 *   -DKEEP        a lossless subscriber keeps each message while it goes on
 *
 * What must hold: each ticket is published once, without a gap; who reads reads the message of its ticket, whole, from the beginning to the end of its reading; a lossless subscriber is never overtaken; a publisher always
 * finds a chunk.  When nothing moves any more: all messages of living publishers are published, nobody has the claim, nothing is held; a lossless subscriber has read all.
 *
 * Seeded mistakes, each must be caught:
 *   -DNORECHECK      a reader does not look at the entry again
 *   -DHOLDLATE       the hold comes into memory after that look (no fence)
 *   -DNOFENCE        a publisher looks at the holds with entries still in its store buffer
 *   -DSWEEPBLIND     it does not look at them
 *   -DNEXTBLIND      the next publisher does not, for the chunks that it finds outside of the log
 *   -DFREEEARLY      a replaced chunk is free at once
 *   -DPUTEARLY       the entry is stored before the message is whole
 *   -DNOJOINBARRIER  no barrier between the count of joins and the true tail
 *   -DGATEOFF        the gate lets the ticket at a cursor be replaced
 *   -DPROVTAIL       the provisional cursor is the tail (with HISTORY)
 *   -DJOINSEARLY     joins are counted before the claim
 *   -DJOINSLATE      joins are counted after the tail was found
 *   -DNOFINDAGAIN    the tail that was found before the claim is the true one
 *   -DJOINSAFTER     a publisher remembers the count that it reads after it has looked at the records
 *   -DKEEPLATE       with KEEP: held after the cursor is stored
 *   -DLETGOEARLY     let go before the end of reading
 *   -DNOSETTLE       the next publisher does not wait for what the dead one has stored
 *   -DALIVE          the claim is taken from the living
 *   -DPLAINCLAIM     who repairs frees the claim whoever has it
 *   -DNOCLAIMS       nobody frees or takes over a dead one's claim
 *   -DNOHOLDS        who repairs leaves what the dead one held
 *   -DFEWCHUNKS      one chunk less
 */
#ifndef N
#define N 2
#endif
#ifndef B
#define B 2
#endif
#ifndef M0
#define M0 3
#endif
#ifndef M1
#define M1 0
#endif
#ifndef M4
#define M4 0
#endif
#ifndef K2
#define K2 1
#endif
#ifndef K3
#define K3 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 1
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#if defined(COPY)
#define HOLDERS1 0
#elif K2==1 && K3==1
#define HOLDERS1 2
#elif K2==1 || K3==1
#define HOLDERS1 1
#else
#define HOLDERS1 0
#endif
#if defined(KEEP) && K2==2 && K3==2
#define HOLDERS2 2
#elif defined(KEEP) && (K2==2 || K3==2)
#define HOLDERS2 1
#else
#define HOLDERS2 0
#endif
#ifdef FEWCHUNKS
#define LESS 1
#else
#define LESS 0
#endif
#ifndef CHUNKS
#define CHUNKS N+1+HOLDERS1+HOLDERS2-LESS
#endif
#define LOSSLESS (K2==2 || K3==2)

/* an entry: lap + 1 (0: empty), chunk */
#define ENTRY(t,c) ((((t)/N+1)<<4)|(c))
#define LAP1(e) ((e)>>4)
#define CHUNK(e) ((e)&15)
#define PUBLISHEDAT(e,t) (LAP1(e)>(t)/N)
#define AFTER(e,t) ((LAP1(e)-1)*N+(t)%N+1)

byte log[N], held[4], content[CHUNKS];
byte owner;                    /* the publisher that has the claim, + 1 */
#if LOSSLESS
bit  claim[4];
byte cursor[4], joins;
#endif
bit  stop[5], died[5];
byte kills;
#if KILLS
bit  repaired[5];
#endif
byte moved;
#define ALL moved=31
#define MOVED (moved&(1<<me))
#define SEEN moved=moved&~(1<<me)
/* store buffers: entries, and their tickets */
typedef Buffer { byte n; byte e[B]; byte t[B] };
Buffer buffer[5];
#define DRAINED(p) (buffer[p].n==0)
#define ALLDRAINED (DRAINED(0) && DRAINED(1) && DRAINED(4))
/* ghosts */
byte tickets, left[5];

#define MAYDIE (kills<KILLS && (KILLABLE & (1<<me)) && !died[me] && pc!=END)
#if KILLS==0
#define DYING(locals)
#else
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1; stop[me]=1; pc=END; ALL; locals }
#endif
#define AT(x) d_step { pc==x ->
mtype = { TAKE, READLOG, FENCE, SWEEP, WRITE, FILL, GATE, SCAN1, SCAN2, COUNT, SHUT, PUT, GIVEUP,
  LOOK, WAIT, HOLD, RECHECK, READ, READ2, LETGO, PROVISIONAL, CLAIM, JOIN, ORDER, TRUE1, BEGIN, STORE, BARRIER, BITS, OWNER, END };

/* what a store buffer holds comes into memory, whether or not its process lives */
active proctype Drain() { byte p, i;
end:
  do
  :: d_step { !ALLDRAINED -> p=(DRAINED(0) -> (DRAINED(1) -> 4 : 1) : 0);
       assert(buffer[p].t[0]==tickets);
       log[buffer[p].t[0]%N]=buffer[p].e[0]; tickets++; i=1;
       do :: i<B -> buffer[p].e[i-1]=buffer[p].e[i]; buffer[p].t[i-1]=buffer[p].t[i]; i++ :: else -> break od;
       buffer[p].e[B-1]=0; buffer[p].t[B-1]=0; buffer[p].n--; p=0; i=0; ALL }
  od
}

#define INLOG 0
#define FREE 1
#define RETIRED 2
#define MARKED 3
#define MINE 4
#ifdef PUTEARLY
#define BEFOREGATE WRITE
#define AFTERPUT FILL
#else
#define BEFOREGATE FILL
#define AFTERPUT TAKE
#endif
#if LOSSLESS
#define GATED GATE
#else
#define GATED PUT
#endif
#if KILLS==0 || defined(NOCLAIMS)
#define TAKEOVER false
#elif defined(NOSETTLE)
#define TAKEOVER (owner!=0 && died[owner-1])
#else
#define TAKEOVER (owner!=0 && died[owner-1] && DRAINED(owner-1))
#endif
#define FORGET c=0; i=0; t=0; s=0; minc=255; seenj=0; j=0; for (i : 0 .. CHUNKS-1) { place[i]=0 }; for (i : 0 .. N-1) { inLog[i]=0 }; i=0
proctype Publisher(byte me) {
  byte c, i, t, s, minc=255, seenj, j; byte place[CHUNKS], inLog[N]; mtype pc=CLAIM;
end:
  do
  DYING(FORGET)
#ifdef ALIVE
  :: AT(CLAIM) owner=me+1; pc=READLOG }
#else
  :: d_step { pc==CLAIM && (owner==0 || TAKEOVER) -> owner=me+1; pc=READLOG }
#endif
  :: AT(READLOG)
       t=0;
       do :: PUBLISHEDAT(log[t%N],t) -> t=AFTER(log[t%N],t) :: else -> break od;
#ifdef NEXTBLIND
       for (i : 0 .. CHUNKS-1) { place[i]=FREE };
#else
       for (i : 0 .. CHUNKS-1) { place[i]=RETIRED };
#endif
       for (i : 0 .. N-1) { inLog[i]=log[i]; if :: log[i]!=0 -> place[CHUNK(log[i])]=INLOG :: else fi };
       i=0; pc=TAKE }
  /* ---- a chunk ---- */
  :: d_step { pc==TAKE && left[me]!=0 ->
       i=0; do :: i<CHUNKS && place[i]!=FREE -> i++ :: else -> break od;
       if :: i<CHUNKS -> c=i; place[c]=MINE; pc=WRITE :: else -> pc=FENCE fi; i=0 }
#ifdef NOFENCE
  :: AT(FENCE) s=2; pc=SWEEP }
#else
  :: d_step { pc==FENCE && DRAINED(me) -> s=2; pc=SWEEP }
#endif
  :: d_step { pc==SWEEP && s<4 ->
#ifndef SWEEPBLIND
       if :: held[s]!=0 && place[held[s]-1]==RETIRED -> place[held[s]-1]=MARKED :: else fi;
#endif
       s++ }
  :: d_step { pc==SWEEP && s==4 -> s=0; j=0;
       for (i : 0 .. CHUNKS-1) { if :: place[i]==RETIRED -> place[i]=FREE; j=1 :: place[i]==MARKED -> place[i]=RETIRED :: else fi };
       i=0; assert(j==1); j=0; pc=TAKE }
  :: AT(WRITE) content[c]=100; pc=(BEFOREGATE==WRITE -> GATED : FILL) }
#ifdef PUTEARLY
  :: AT(FILL) content[c]=t; c=0; pc=TAKE }
#else
  :: AT(FILL) content[c]=t+1; pc=GATED }
#endif
#if LOSSLESS
  /* ---- the gate ---- */
#ifdef GATEOFF
#define OPEN (minc==255 || t<=minc+N)
#else
#define OPEN (minc==255 || t<minc+N)
#endif
  :: AT(GATE) SEEN; j=joins; if :: j==seenj && OPEN -> j=0; pc=PUT :: else -> minc=255; s=2; pc=SCAN1 fi }
  :: AT(SCAN1)
       if
       :: s==4 -> s=0; pc=COUNT
       :: s<4 -> if :: claim[s] -> pc=SCAN2 :: else -> s++ fi
       fi }
  :: AT(SCAN2) minc=(cursor[s]<minc -> cursor[s] : minc); s++; pc=SCAN1 }
  :: AT(COUNT)
#ifdef JOINSAFTER
       seenj=joins;
#else
       seenj=j;
#endif
       j=0; if :: OPEN -> pc=PUT :: else -> pc=SHUT fi }
  :: d_step { pc==SHUT && MOVED -> SEEN; pc=GATE }
#endif
  /* ---- publish: into the store buffer ---- */
  :: d_step { pc==PUT && buffer[me].n<B ->
       buffer[me].e[buffer[me].n]=ENTRY(t,c); buffer[me].t[buffer[me].n]=t; buffer[me].n++;
       if :: inLog[t%N]!=0 ->
#ifdef FREEEARLY
         place[CHUNK(inLog[t%N])]=FREE
#else
         place[CHUNK(inLog[t%N])]=RETIRED
#endif
       :: else fi;
       inLog[t%N]=ENTRY(t,c); place[c]=INLOG; t++; left[me]--;
#ifndef PUTEARLY
       c=0;
#endif
       pc=AFTERPUT }
  /* ---- the end: a compare-exchange ---- */
  :: d_step { pc==TAKE && left[me]==0 && DRAINED(me) ->
       if :: owner==me+1 -> owner=0 :: else fi; ALL; FORGET; pc=END }
  od
}

#define THERE assert(content[CHUNK(e)]==cur+1)
proctype Lossy(byte me) {
  byte cur, e; bit got; mtype pc=LOOK;
#ifdef COPY
  byte x, y;
#define COPIED ; x=0; y=0
#else
#define COPIED
#endif
end:
  do
  DYING(cur=0; e=0; got=0 COPIED)
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> SEEN; e=log[cur%N];
       if
#if defined(COPY)
       :: LAP1(e)==cur/N+1 -> pc=READ
#elif defined(HOLDLATE)
       :: LAP1(e)==cur/N+1 -> pc=RECHECK
#else
       :: LAP1(e)==cur/N+1 -> pc=HOLD
#endif
       :: LAP1(e)<cur/N+1 -> e=0; pc=WAIT
       :: else -> cur=AFTER(e,cur)-N; e=0; pc=LOOK
       fi }
#ifdef COPY
  :: AT(READ) x=content[CHUNK(e)]; pc=READ2 }
  :: AT(READ2) y=content[CHUNK(e)]; pc=RECHECK }
  :: AT(RECHECK)
       if
#ifdef NORECHECK
       :: true ->
#else
       :: log[cur%N]==e ->
#endif
          assert(x==cur+1 && y==cur+1); cur++
#ifndef NORECHECK
       :: else
#endif
       fi; x=0; y=0; e=0; pc=LOOK }
#else
  :: AT(HOLD) held[me]=CHUNK(e)+1;
#ifdef HOLDLATE
       pc=READ }
  :: AT(RECHECK) if :: log[cur%N]==e -> got=1; pc=HOLD :: else -> e=0; pc=LOOK fi }
#elif defined(NORECHECK)
       got=1; pc=READ }
#else
       pc=RECHECK }
  :: AT(RECHECK) if :: log[cur%N]==e -> got=1; pc=READ :: else -> pc=LETGO fi }
#endif
#ifdef LETGOEARLY
  :: AT(READ) THERE; held[me]=0; pc=READ2 }
#else
  :: AT(READ) THERE; pc=READ2 }
#endif
  :: AT(READ2) THERE; pc=LETGO }
  :: AT(LETGO) held[me]=0; if :: got -> cur++; got=0 :: else fi; e=0; ALL; pc=LOOK }
#endif
  od
}

#if LOSSLESS
proctype Lossless(byte me) {
  byte cur, t, e; mtype pc=PROVISIONAL;
#ifdef HISTORY
#define FROM(t) ((t)<N -> 0 : (t)-N+1)
#else
#define FROM(t) (t)
#endif
end:
  do
  DYING(cur=0; t=0; e=0)
  /* ---- join: the hint of the tail may be any earlier one; here the number of those in memory, or less by one ---- */
  :: AT(PROVISIONAL) t=(tickets>0 -> tickets-1 : 0); do :: PUBLISHEDAT(log[t%N],t) -> t=AFTER(log[t%N],t) :: else -> break od;
#ifdef PROVTAIL
       cursor[me]=t; pc=CLAIM }
#else
       cursor[me]=FROM(t); pc=CLAIM }
#endif
#ifdef JOINSEARLY
  :: AT(CLAIM) joins++; pc=JOIN }
  :: AT(JOIN) claim[me]=1; pc=ORDER }
#elif defined(JOINSLATE)
  :: AT(CLAIM) claim[me]=1; pc=ORDER }
  :: AT(JOIN) joins++; pc=BEGIN }
#else
  :: AT(CLAIM) claim[me]=1; pc=JOIN }
  :: AT(JOIN) joins++; pc=ORDER }
#endif
#ifdef NOJOINBARRIER
  :: AT(ORDER) pc=TRUE1 }
#else
  :: d_step { pc==ORDER && ALLDRAINED -> pc=TRUE1 }
#endif
#ifdef JOINSLATE
#define FOUNDIT JOIN
#else
#define FOUNDIT BEGIN
#endif
#ifdef NOFINDAGAIN
  :: AT(TRUE1) pc=FOUNDIT }
#else
  :: AT(TRUE1) e=log[t%N]; if :: PUBLISHEDAT(e,t) -> t=AFTER(e,t) :: else -> pc=FOUNDIT fi; e=0 }
#endif
  :: AT(BEGIN) cur=FROM(t); cursor[me]=cur; ALL; t=0; pc=LOOK }
  /* ---- read in place ---- */
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> SEEN; e=log[cur%N]; assert(LAP1(e)<=cur/N+1);
       if
       :: LAP1(e)==cur/N+1 -> pc=READ
       :: else -> e=0; pc=WAIT
       fi }
#ifdef KEEP
#ifdef KEEPLATE
  :: AT(READ) THERE; pc=STORE }
  :: AT(STORE) cur++; cursor[me]=cur; ALL; pc=HOLD }
  :: AT(HOLD) held[me]=CHUNK(e)+1; pc=READ2 }
#else
  :: AT(READ) THERE; pc=HOLD }
  :: AT(HOLD) held[me]=CHUNK(e)+1; pc=STORE }
  :: AT(STORE) cur++; cursor[me]=cur; ALL; pc=READ2 }
#endif
#ifdef LETGOEARLY
  :: AT(READ2) held[me]=0; pc=LETGO }
  :: AT(LETGO) assert(content[CHUNK(e)]==cur); e=0; pc=LOOK }
#else
  :: AT(READ2) assert(content[CHUNK(e)]==cur); pc=LETGO }
  :: AT(LETGO) held[me]=0; e=0; pc=LOOK }
#endif
#else
  :: AT(READ) THERE; pc=READ2 }
  :: AT(READ2) THERE; e=0; pc=STORE }
  :: AT(STORE) cur++; cursor[me]=cur; ALL; pc=LOOK }
#endif
  od
}
#endif

#if KILLS
/* under the repair claim: another repairer begins only when this one is dead and stopped */
proctype Repairer() {
  byte p, rkills; mtype pc=LOOK;
#define TOREPAIR(p) (died[p] && !repaired[p])
end:
  do
  :: d_step { pc==LOOK && (TOREPAIR(0) || TOREPAIR(1) || TOREPAIR(2) || TOREPAIR(3) || TOREPAIR(4)) ->
       p=(TOREPAIR(0) -> 0 : (TOREPAIR(1) -> 1 : (TOREPAIR(2) -> 2 : (TOREPAIR(3) -> 3 : 4)))); pc=BARRIER }
  :: d_step { pc==BARRIER && stop[p] && DRAINED(p) -> pc=BITS }
#ifdef NOHOLDS
  :: AT(BITS) pc=OWNER }
#else
  :: AT(BITS) if :: p==2 || p==3 -> held[p]=0 :: else fi; pc=OWNER }
#endif
  :: AT(OWNER)
#if defined(PLAINCLAIM)
       if :: p==2 || p==3 :: else -> owner=0 fi;
#elif !defined(NOCLAIMS)
       if :: owner==p+1 -> owner=0 :: else fi;
#endif
#if LOSSLESS
       if :: p==2 || p==3 -> claim[p]=0 :: else fi;
#endif
       pc=END }
  :: AT(END) repaired[p]=1; ALL; p=0; pc=LOOK }
  :: d_step { rkills<RKILLS && pc!=LOOK -> rkills++; p=0; pc=LOOK }
  od
}
#endif
active proctype Judge() { timeout ->
  d_step {
    assert((stop[0] || left[0]==0) && (stop[1] || left[1]==0) && (stop[4] || left[4]==0));
    assert(owner==0);
    assert(held[2]==0 && held[3]==0);
#if LOSSLESS
    assert((!claim[2] || (!stop[2] && cursor[2]==tickets)) && (!claim[3] || (!stop[3] && cursor[3]==tickets)));
#endif
  } }
init { atomic {
  left[0]=M0; left[1]=M1; left[4]=M4;
  run Publisher(0);
#if M1
  run Publisher(1);
#endif
#if M4
  run Publisher(4);
#endif
#if K2==1
  run Lossy(2);
#elif K2==2
  run Lossless(2);
#endif
#if K3==1
  run Lossy(3);
#elif K3==2
  run Lossless(3);
#endif
#if KILLS
  run Repairer();
#endif
  } }
