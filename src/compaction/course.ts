/** How long work goes on: the same for what is done with an open store and with one that is not. */
export { Course, type CourseOptions, type Progress } from '../log/course.js';
